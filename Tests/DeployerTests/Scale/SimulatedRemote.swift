import Shared
import Synchronization

@testable import Deployer

/// A connection to a node of a simulated fleet.
final class SimulatedRemote: Remote {
    private static let committed = VerdictReport(
        .committed, generation: Generation(number: 1, path: "/nix/store/simulated"))

    private let fleet: SimulatedFleet
    private let host: String
    private let isClosed = Mutex(false)

    init(fleet: SimulatedFleet, host: String) {
        self.fleet = fleet
        self.host = host
    }

    var doubt: HostDoubt? { nil }
    var isCompressed: Bool { true }
    var isOpen: Bool { isClosed.withLock { !$0 } }

    func close() async {
        let isFirst = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        if isFirst { fleet.trace.closed() }
    }

    func start(_ words: [String], input: RemoteInput) async throws -> any RemoteProcess {
        if words.contains("activate") { return activation(words) }
        if words.contains("confirm") { return try await confirmation(words) }
        if words.contains("hold") { return SimulatedProcess() }
        if words.contains("status") { return SimulatedProcess(lines: [try JSONLine.encode(status)]) }
        guard let script = words.last, script.contains("say end") else {
            return SimulatedProcess(exit: .code(127))
        }
        try await fleet.pass(.facts, host)
        return SimulatedProcess(lines: facts(script))
    }

    /// What a node answers whose profiles were never deployed.
    private func facts(_ script: String) -> [String] {
        let marker = script.firstMatch(of: /[0-9a-f]{32}/)?.output ?? ""
        let agent = script.firstMatch(of: /[^ '=\n]*-deploy-swift-agent/)?.output ?? ""
        let elevations = script.matches(of: /say (elevation \d+ 0)/).map { String($0.output.1) }
        let answers = ["system Linux x86_64", "daemon /usr/bin/nix-daemon", "trust owner"]
        return (answers + (fleet.hasAgent ? ["agent \(agent)"] : []) + elevations + ["end"]).map { "\(marker) \($0)" }
    }

    // MARK: Activation

    private func activation(_ words: [String]) -> SimulatedProcess {
        let nonce = nonce(words)
        fleet.lastNonces.withLock { $0[host] = nonce }
        return SimulatedProcess { [fleet, host] send in
            send(.started(previous: nil))
            send(.profileSet(generation: 1, isNew: true))
            do {
                try await fleet.pass(.activation, host)
            } catch is SimulatedFailure {
                send(.activationEnded(.code(1), timedOut: false))
                return send(.verdict(VerdictReport(.rolledBack, generation: nil, reason: "the activation failed")))
            }
            send(.activationEnded(.code(0), timedOut: false))
            send(.awaitingConfirmation(seconds: 30))
            try await fleet.gate(nonce).wait()
            send(.verdict(Self.committed))
        }
    }

    /// What is asked after a rollback.
    private var status: ProfileStatus {
        let activation = ProfileStatus.Activation(
            state: .rolledBack, nonce: fleet.lastNonces.withLock { $0[host] }, closure: "/nix/store/simulated",
            deployer: "me", startedAt: 0, previous: nil, report: nil, isGuarded: false, secondsLeft: nil)
        return ProfileStatus(profile: "/p", generation: nil, activation: activation)
    }

    private func confirmation(_ words: [String]) async throws -> SimulatedProcess {
        try await fleet.pass(.confirmation, host)
        fleet.gate(nonce(words)).open()
        return SimulatedProcess { send in send(.verdict(Self.committed)) }
    }

    private func nonce(_ words: [String]) -> String { words.firstIndex(of: "--nonce").map { words[$0 + 1] } ?? "" }

    // MARK: Copy

    func bridge(
        _ words: [String], socket: @Sendable () async throws -> Int32, onBytes: @escaping @Sendable (Int) -> Void
    ) async throws -> RemoteResult {
        let descriptor = try await socket()
        // Whoever connects says at once who it is.
        let name = String(decoding: receivePacket(descriptor, limit: 100) ?? [], as: UTF8.self)
        do {
            try await fleet.pass(.copy, host, times: fleet.pieces.count) { onBytes(fleet.pieces[$0]) }
        } catch {
            fleet.gate(name).fail(error)
            throw error
        }
        fleet.gate(name).open()
        return RemoteResult(exit: .code(0), output: [], errorOutput: [])
    }
}

/// What goes wrong on a simulated node.
struct SimulatedFailure: Error, Equatable {}

/// A command on a simulated node.
struct SimulatedProcess: RemoteProcess {
    let output: AsyncThrowingStream<RemoteOutput, any Error>
    private let code: RemoteExit

    init(lines: [String] = [], exit: RemoteExit = .code(0)) {
        (output, code) = (
            AsyncThrowingStream { continuation in
                for line in lines { continuation.yield(.stdout(Array((line + "\n").utf8))) }
                continuation.finish()
            }, exit
        )
    }

    /// - Parameter work: the agent's; it ends when nobody listens any more
    init(_ work: @escaping @Sendable (_ send: @Sendable (AgentEvent) -> Void) async throws -> Void) {
        code = .code(0)
        output = AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    try await work { event in
                        // All events can be encoded.
                        let line = (try? JSONLine.encode(event)) ?? ""
                        continuation.yield(.stdout(Array((line + "\n").utf8)))
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    func exit() async throws -> RemoteExit { code }
}
