import Synchronization

@testable import Deployer
@testable import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a simulated node does that takes time, or goes wrong.
enum Moment: String, Sendable, CaseIterable {
    case login, facts, copy, activation, confirmation
}

/// Any number of nodes that are nothing but what they answer, and how long they take for it.
///
/// Everything between the command line and a node's connection is the real thing; `nix copy` alone is left out.
final class SimulatedFleet: Connector {
    /// Takes the time of a moment on a node, named by its host; what it throws is what goes wrong there.
    typealias Pause = @Sendable (Moment, String) async throws -> Void

    let trace: FleetTrace
    /// What one copy sends, piece by piece, with a pause for each.
    let pieces: [Int]
    /// Of each node's last activation.
    let lastNonces = Mutex<[String: String]>([:])
    /// Whether the nodes have our agent already.
    let hasAgent: Bool
    private let pause: Pause
    /// For what has to happen first: a confirmation by its nonce, the end of a copy by its number.
    private let gates = Mutex<[String: Gate]>([:])
    private let copies = Mutex(0)

    init(
        pieces: [Int] = [1000], trace: FleetTrace = FleetTrace(), hasAgent: Bool = true,
        pause: @escaping Pause = { _, _ in }
    ) {
        self.pieces = pieces
        self.trace = trace
        self.hasAgent = hasAgent
        self.pause = pause
    }

    func connect(_ destination: Destination) async throws -> any Remote {
        try await pass(.login, destination.host)
        trace.opened()
        return SimulatedRemote(fleet: self, host: destination.host)
    }

    /// Goes through a moment on a node, and notes it.
    func pass(_ moment: Moment, _ host: String, times: Int = 1, then: (Int) -> Void = { _ in }) async throws {
        trace.begin(moment, host)
        defer { trace.end(moment, host) }
        for number in 0..<times {
            try await pause(moment, host)
            then(number)
        }
    }

    func gate(_ name: String) -> Gate {
        gates.withLock { gates in
            let gate = gates[name] ?? Gate()
            gates[name] = gate
            return gate
        }
    }

    /// In the place of `nix copy`: connects to the store that it is pointed at, and waits for the node's side.
    @Sendable func runCopy(_ command: LocalCommand) async throws -> LocalResult {
        let number = copies.withLock { count in
            count += 1
            return count
        }
        let store = command.words.first { $0.hasPrefix("unix://") } ?? ""
        let socket = try connectUnixSocket(String(store.dropFirst("unix://".count)))
        defer { close(socket) }
        try sendPacket(socket, Array("copy \(number)".utf8))
        try await gate("copy \(number)").wait()
        return LocalResult(exit: .code(0), output: [], errorOutput: [], isTruncated: false, timedOut: false)
    }
}
