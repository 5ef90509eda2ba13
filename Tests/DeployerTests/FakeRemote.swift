import Shared
import Synchronization

@testable import Deployer

/// A node as a table: each command that matches gets the next of its answers; the last one stays.
final class FakeNode: Sendable {
    /// What a command does.
    struct Answer: Sendable {
        var output: [RemoteOutput] = []
        var exit = RemoteExit.code(0)
        /// The connection breaks after the output.
        var breaks = false
        /// It never ends by itself; cancelling ends it.
        var hangs = false

        static func events(_ events: AgentEvent..., breaks: Bool = false, hangs: Bool = false) -> Answer {
            // The events of a test can all be encoded.
            let lines = events.map { ((try? JSONLine.encode($0)) ?? "") + "\n" }
            return Answer(output: lines.map { .stdout(Array($0.utf8)) }, breaks: breaks, hangs: hangs)
        }

        static func text(_ text: String, exit: RemoteExit = .code(0)) -> Answer {
            Answer(output: [.stdout(Array(text.utf8))], exit: exit)
        }

        /// What a recorded shell answered: `MARKER` stands for the number that the question put in front of each line.
        static func recorded(_ lines: String...) -> Answer {
            Answer(output: lines.map { .stdout(Array("MARKER \($0)\n".utf8)) })
        }

        fileprivate func marked(for words: [String]) -> Answer {
            guard let marker = words.last?.firstMatch(of: /[0-9a-f]{32}/)?.output else { return self }
            var answer = self
            answer.output = output.map { piece in
                guard case .stdout(let bytes) = piece else { return piece }
                let text = String(decoding: bytes, as: UTF8.self).replacing("MARKER", with: marker)
                return .stdout(Array(text.utf8))
            }
            return answer
        }

        static func failure(_ text: String) -> Answer {
            Answer(output: [.stderr(Array(text.utf8))], exit: .code(1))
        }
    }

    private struct State {
        var answers: [(word: String, answers: [Answer])] = []
        var commands: [[String]] = []
        var inputs: [[UInt8]] = []
        var connections = 0
        var refusedConnections = 0
    }

    private let state = Mutex(State())

    /// Every command so far, in order.
    var commands: [[String]] { state.withLock { $0.commands } }
    var inputs: [[UInt8]] { state.withLock { $0.inputs } }
    var connections: Int { state.withLock { $0.connections } }

    /// Answers commands that have this word among theirs; the first match counts.
    func on(_ word: String, _ answers: Answer...) -> FakeNode {
        state.withLock { $0.answers.append((word, answers)) }
        return self
    }

    /// Refuses this many of the next connections.
    func refuse(_ count: Int) { state.withLock { $0.refusedConnections = count } }

    fileprivate func take(_ words: [String], _ input: [UInt8]) -> Answer {
        state.withLock { state in
            state.commands.append(words)
            state.inputs.append(input)
            guard let index = state.answers.firstIndex(where: { words.contains($0.word) }) else {
                return .failure("no answer for \(words)")
            }
            let answers = state.answers[index].answers
            if answers.count > 1 { state.answers[index].answers.removeFirst() }
            return (answers.first ?? Answer()).marked(for: words)
        }
    }

    fileprivate func connect() throws(SSHError) {
        let isRefused = state.withLock { state in
            state.connections += 1
            state.refusedConnections -= 1
            return state.refusedConnections >= 0
        }
        if isRefused { throw .unreachable(host: "fake", reasons: ["refused"]) }
    }
}

struct FakeConnector: Connector {
    let node: FakeNode
    var doubt: HostDoubt?

    func connect(_ destination: Destination) async throws -> any Remote {
        try node.connect()
        return FakeRemote(node: node, doubt: doubt)
    }
}

struct FakeRemote: Remote {
    let node: FakeNode

    var doubt: HostDoubt?

    func start(_ words: [String], input: RemoteInput) async throws -> any RemoteProcess {
        if input.holdsSecret, let doubt { throw doubt.error }
        return FakeProcess(answer: node.take(words, input.bytes))
    }

    func bridge(
        _ words: [String], socket: @Sendable () async throws -> Int32, onBytes: @escaping @Sendable (Int) -> Void
    ) async throws -> RemoteResult {
        RemoteResult(exit: .code(0), output: [], errorOutput: [])
    }

    var isCompressed: Bool { true }

    var isOpen: Bool { true }

    func close() async {}
}

struct FakeProcess: RemoteProcess {
    let answer: FakeNode.Answer

    var output: AsyncThrowingStream<RemoteOutput, any Error> {
        AsyncThrowingStream { continuation in
            for piece in answer.output { continuation.yield(piece) }
            if answer.breaks { return continuation.finish(throwing: SSHError.lost(host: "fake", reason: "cut")) }
            if !answer.hangs { continuation.finish() }
        }
    }

    func exit() async throws -> RemoteExit { answer.exit }
}
