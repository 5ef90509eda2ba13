import Shared
import Synchronization

/// Sends closures to a node's store over the connection that is already open.
///
/// Nix decides what is missing and streams it; it is pointed at a private socket behind which the node's daemon answers:
/// the one that runs there, or `nix-daemon --stdio`, or `nix-store --serve` where there is none that does.
struct Copier: Sendable {
    let console: Console
    /// `--checksigs`: the node insists on signatures even from users it trusts.
    let checksSignatures: Bool
    /// This program, which Nix also takes for its `ssh` (``SSHStandIn``).
    var program = AskpassHelper.program
    /// Notices links where compression pays; nil where that is settled.
    var meter: LinkMeter?
    /// Runs a `nix copy`.
    var run: Runner = { try await $0.run() }

    typealias Runner = @Sendable (LocalCommand) async throws -> LocalResult

    /// Copies store paths and all they refer to.
    ///
    /// - Parameters:
    ///   - source: URL of the store that has them; the local one if nil
    ///   - usesSubstitutes: lets the node fetch from its own caches what they have; off for a fast connection
    ///   - onBytes: how many bytes just went to the node
    /// - Throws: ``CopyError``, ``StoreFull``, ``SSHError``, ``SystemError``, ``LocalCommandError``
    func copy(
        _ paths: [String], from source: String? = nil, to connection: ReadyConnection, node: NodeName,
        usesSubstitutes: Bool, onBytes: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws {
        try await StoreRoom.explaining(connection) {
            try await copyNow(
                paths, from: source, to: connection, node: node, usesSubstitutes: usesSubstitutes, onBytes: onBytes)
        }
    }

    private func copyNow(
        _ paths: [String], from source: String?, to connection: ReadyConnection, node: NodeName,
        usesSubstitutes: Bool, onBytes: @escaping @Sendable (Int) -> Void
    ) async throws {
        try await withStore(of: connection, node, meter) { store in
            let words = copyWords(paths, from: source, to: store.url, usesSubstitutes: usesSubstitutes)
            console.tell(.debug, "running \(shellQuoted(words))", node: node)
            var command = LocalCommand(words)
            command.environment = store.environment(command.environment)
            // The source's `ssh` is Nix's: it must not ask beside our own questions.
            if source != nil { command.environment["NIX_SSHOPTS"] = "-o BatchMode=yes" }
            let result = try await run(command)
            guard result.exit.isSuccess else {
                throw CopyError.nix(exit: result.exit, lines: lastLines(20, of: result.errorText))
            }
        } onBytes: {
            onBytes($0)
            console.report(.sent($0, node))
        }
    }

    /// Copies derivations and all that they need, for a build on the node.
    func copyDerivations(
        _ paths: [String], to connection: ReadyConnection, node: NodeName, usesSubstitutes: Bool
    ) async throws {
        // Nix 2.8 copies a `.drv`'s outputs unless told; newer ones take the flag as well.
        try await copy(["--derivation"] + paths, to: connection, node: node, usesSubstitutes: usesSubstitutes)
    }

    /// Offers the node's store under a local URL for as long as the work lasts, which is begun anew where the node's side
    /// of one way fails and there is another.
    ///
    /// - Parameter work: gets the store, for a Nix run with its URL and environment
    func withStore(
        of connection: ReadyConnection, _ node: NodeName, _ meter: LinkMeter? = nil,
        _ work: @escaping @Sendable (ServedStore) async throws -> Void,
        onBytes: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws {
        var failures: [CopyError] = []
        let ways = connection.store.ways
        for (way, next) in zip(ways, ways.dropFirst().map(\.rawValue) + ["nothing else"]) {
            do {
                return try await serve(connection, way, node, meter, work, onBytes)
            } catch let error as CopyError {
                guard error.isOf(way, isOwner: connection.trust.isOwner) else { throw error }
                failures.append(error)
                connection.store.avoid(way)
                console.tell(
                    .debug, "\(way.rawValue) does not lead to the node's store, \(next) is tried: \(error)", node: node)
            }
        }
        throw failures.count == 1 ? failures[0] : CopyError.noWay(failures)
    }

    /// Does the work one way; once more over a further, compressed connection where the link turns out to be slow.
    private func serve(
        _ connection: ReadyConnection, _ way: StoreWay, _ node: NodeName, _ meter: LinkMeter?,
        _ work: @escaping @Sendable (ServedStore) async throws -> Void, _ onBytes: @escaping @Sendable (Int) -> Void
    ) async throws {
        guard let meter, try await !connection.login.carrier().isCompressed else {
            return try await serve(connection, way, work, onBytes)
        }
        let sent = Counter()
        do {
            try await serve(connection, way) { store in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await work(store) }
                    group.addTask { try await meter.watch { sent.count } }
                    defer { group.cancelAll() }
                    try await group.next()
                }
            } _: { count in
                sent.add(count)
                meter.add(count)
                onBytes(count)
            }
        } catch let link as SlowLink {
            let rate = bytesText(link.bytesPerSecond)
            do {
                try await connection.login.compress()
                console.tell(.info, "the link takes \(rate)/s: what is not there yet goes compressed", node: node)
            } catch let error as SSHError {
                console.tell(.debug, "the link takes \(rate)/s, but there is no compressed login: \(error)", node: node)
            }
            try await serve(connection, way, work, onBytes)
        }
    }

    private func serve(
        _ connection: ReadyConnection, _ way: StoreWay, _ work: @escaping @Sendable (ServedStore) async throws -> Void,
        _ onBytes: @escaping @Sendable (Int) -> Void
    ) async throws {
        guard let server = connection.store.server(way) else { return }
        let socket = try StoreSocket()
        let box = FailureBox()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                defer { socket.stop() }
                try await work(try ServedStore(way, socket, program: program))
                return true
            }
            group.addTask {
                await bridges(socket, to: server, connection, box, onBytes)
                return false
            }
            do {
                // The node has confirmed all that was sent before Nix ended: how its side goes down is not waited for.
                for try await isDone in group where isDone { group.cancelAll() }
            } catch {
                group.cancelAll()
                // What the node's side said explains more than Nix's "unexpected end-of-file".
                throw error is SlowLink ? error : box.failure ?? error
            }
        }
    }

    /// Serves what connects; for the first connection the node's side is started ahead, while Nix itself starts.
    private func bridges(
        _ socket: StoreSocket, to server: StoreServer, _ connection: ReadyConnection, _ box: FailureBox,
        _ onBytes: @escaping @Sendable (Int) -> Void
    ) async {
        await withTaskGroup(of: Void.self) { bridges in
            func serve(_ arrival: Arrival) {
                bridges.addTask { await bridge(arrival, to: server, connection, box, onBytes) }
            }
            let first = Arrival()
            serve(first)
            var isFirst = true
            for await descriptor in socket.connections {
                let arrival = isFirst ? first : Arrival()
                arrival.come(descriptor)
                if !isFirst { serve(arrival) }
                isFirst = false
            }
            first.staysAway()
        }
    }

    private func bridge(
        _ arrival: Arrival, to server: StoreServer, _ connection: ReadyConnection, _ box: FailureBox,
        _ onBytes: @escaping @Sendable (Int) -> Void
    ) async {
        do {
            let remote = try await connection.login.carrier()
            switch server {
            case .command(let command):
                let result = try await remote.bridge(command, socket: { try await arrival.socket() }, onBytes: onBytes)
                if !result.exit.isSuccess {
                    box.set(CopyError.server(shellQuoted(command), exit: result.exit, text: result.errorText))
                }
            case .socket(let path):
                let end = try await remote.forward(path, socket: { try await arrival.socket() }, onBytes: onBytes)
                if end != .closed { box.set(CopyError.socket(path, isRefused: end == .refused)) }
            }
        } catch is CancellationError {
            // Asked to stop: whoever asked says why.
        } catch {
            box.set(error)
        }
        // Not before it is known why.
        arrival.end()
    }

    private func copyWords(
        _ paths: [String], from source: String?, to store: String, usesSubstitutes: Bool
    ) -> [String] {
        var words = ["nix", "--extra-experimental-features", "nix-command", "copy", "--to", store]
        if let source { words += ["--from", source] }
        if !checksSignatures { words.append("--no-check-sigs") }
        if usesSubstitutes { words += ["--substitute-on-destination", "--option", "builders-use-substitutes", "true"] }
        return words + paths
    }
}

/// Bytes of one copy.
private final class Counter: Sendable {
    private let sum = Mutex(0)
    var count: Int { sum.withLock { $0 } }
    func add(_ more: Int) { sum.withLock { $0 += more } }
}

/// The first failure of a node's side of a copy.
private final class FailureBox: Sendable {
    private let first = Mutex<(any Error)?>(nil)

    var failure: (any Error)? { first.withLock { $0 } }

    func set(_ error: any Error) {
        first.withLock { if $0 == nil { $0 = error } }
    }
}

enum CopyError: Error, Sendable, Equatable {
    case nix(exit: Exit, lines: [String])
    /// What serves the store on the node ended before Nix was done with it.
    case server(String, exit: RemoteExit, text: String)
    /// The daemon's socket on the node cannot be reached, or the daemon closed it before Nix was done.
    case socket(String, isRefused: Bool)
    /// Each way's failure, in the order tried.
    case noWay([CopyError])
}

extension CopyError: Explained, CustomStringConvertible {
    var description: String {
        switch self {
        case .nix(let exit, let lines):
            "nix copy ended with \(exit)\n\(withoutErrorPrefix(lines).joined(separator: "\n"))"
        case .server(let command, let exit, let text): "`\(command)` on the node ended with \(exit)\n\(text)"
        case .socket(let path, isRefused: true):
            "the SSH server connects to no \(path): nothing listens there, or AllowStreamLocalForwarding forbids it"
        case .socket(let path, isRefused: false): "the daemon on the node closed its end of \(path)"
        case .noWay(let failures):
            "the node's store cannot be reached in any way\n" + failures.map(\.description).joined(separator: "\n")
        }
    }

    var hint: String? {
        guard CopyError.isAboutSignatures(description) else { return "nothing was activated" }
        return "the SSH user is not trusted by the node's Nix: add it to trusted-users there, or sign with "
            + "LOCAL_KEY=<secret key file> and list its public key in the node's trusted-public-keys"
    }

    /// Whether another way may do better: this one's end on the node failed, or the daemon that runs does not trust even
    /// root.
    fileprivate func isOf(_ way: StoreWay, isOwner: Bool) -> Bool {
        switch self {
        case .server, .socket: true
        case .nix: way == .socket && isOwner && CopyError.isAboutSignatures(description)
        case .noWay: false
        }
    }

    /// In the words of the node's Nix, then in those of newer ones.
    private static func isAboutSignatures(_ text: String) -> Bool {
        text.contains("lacks a valid signature") || text.contains("lacks a signature by a trusted key")
    }
}
