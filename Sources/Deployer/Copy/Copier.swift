import Shared
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Sends closures to a node's store over the connection that is already open.
///
/// Nix decides what is missing and streams it; it is pointed at a private socket behind which the node's own
/// `nix-daemon --stdio` answers.
struct Copier: Sendable {
    let console: Console
    /// `--checksigs`: the node insists on signatures even from users it trusts.
    let checksSignatures: Bool

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
        try await withStore(of: connection) { store in
            let words = copyWords(paths, from: source, to: store, usesSubstitutes: usesSubstitutes)
            console.tell(.debug, "running \(shellQuoted(words))", node: node)
            var command = LocalCommand(words)
            command.environment = Copier.environment(command.environment)
            // The source's `ssh` is Nix's: it must not ask beside our own questions.
            if source != nil { command.environment["NIX_SSHOPTS"] = "-o BatchMode=yes" }
            let result = try await command.run()
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

    /// Offers the node's store under a local URL for as long as the work lasts.
    ///
    /// - Parameter work: gets the URL, for a Nix run with ``environment(_:)``
    func withStore(
        of connection: ReadyConnection,
        _ work: @escaping @Sendable (String) async throws -> Void,
        onBytes: @escaping @Sendable (Int) -> Void
    ) async throws {
        let socket = try StoreSocket()
        let box = FailureBox()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { socket.stop() }
                try await work(socket.storeURL)
            }
            group.addTask {
                await withTaskGroup(of: Void.self) { bridges in
                    for await descriptor in socket.connections {
                        bridges.addTask { await bridge(descriptor, connection, box, onBytes) }
                    }
                }
            }
            do {
                try await group.waitForAll()
            } catch {
                group.cancelAll()
                // What the node's side said explains more than Nix's "unexpected end-of-file".
                throw box.failure ?? error
            }
        }
    }

    private func bridge(
        _ descriptor: Int32, _ connection: ReadyConnection, _ box: FailureBox,
        _ onBytes: @escaping @Sendable (Int) -> Void
    ) async {
        defer { close(descriptor) }
        do {
            let words = [connection.nixDaemon, "--stdio"]
            let result = try await connection.login.remote().bridge(words, descriptor: descriptor, onBytes: onBytes)
            if !result.exit.isSuccess { box.set(CopyError.daemon(exit: result.exit, text: result.errorText)) }
        } catch is CancellationError {
            // Asked to stop: whoever asked says why.
        } catch {
            box.set(error)
        }
        // Nix must see the end even while another owner still holds the socket.
        shutdown(descriptor, Int32(SHUT_RDWR))
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

    /// The environment of a Nix that talks to a node's daemon: without the local settings, which it would send there.
    static func environment(_ environment: [String: String]) -> [String: String] {
        var environment = environment
        environment["NIX_CONF_DIR"] = "/var/empty/nix-conf"
        environment["NIX_USER_CONF_FILES"] = ""
        environment["NIX_CONFIG"] = "build-users-group ="
        return environment
    }
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
    case daemon(exit: RemoteExit, text: String)
}

extension CopyError: Explained, CustomStringConvertible {
    var description: String {
        switch self {
        case .nix(let exit, let lines): "nix copy ended with \(exit)\n\(lines.joined(separator: "\n"))"
        case .daemon(let exit, let text): "nix-daemon on the node ended with \(exit)\n\(text)"
        }
    }

    var hint: String? {
        guard case .nix(_, let lines) = self, lines.contains(where: CopyError.isAboutSignatures) else {
            return "nothing was activated"
        }
        return "the SSH user is not trusted by the node's Nix: add it to trusted-users there, or sign with "
            + "LOCAL_KEY=<secret key file> and list its public key in the node's trusted-public-keys"
    }

    /// In the words of the node's Nix, then in those of newer ones.
    private static func isAboutSignatures(_ line: String) -> Bool {
        line.contains("lacks a valid signature") || line.contains("lacks a signature by a trusted key")
    }
}
