import Shared
struct TemporaryConnector: Connector {
    func connect(_ d: Destination) async throws -> any Remote { T(d: d) }
    struct T: Remote {
        let d: Destination
        func ssh(_ words: [String]) -> LocalCommand { LocalCommand(["ssh"] + d.options + ["-o", "BatchMode=yes", d.description, shellQuoted(words)]) }
        func start(_ words: [String], input: [UInt8]) async throws -> any RemoteProcess {
            var c = ssh(words); c.input = .bytes(input)
            let (s, k) = AsyncThrowingStream<RemoteOutput, any Error>.makeStream()
            let p = try LocalProcess.start(c) { st, b in k.yield(st == .output ? .stdout(b) : .stderr(b)) }
            Task { _ = await p.exit(); k.finish() }
            return P(output: s, p: p)
        }
        func bridge(_ words: [String], descriptor: Int32, onBytes: @escaping @Sendable (Int) -> Void) async throws -> RemoteResult {
            var c = ssh(words); c.input = .descriptor(descriptor); c.output = .descriptor(descriptor)
            let r = try await c.run()
            if case .code(let x) = r.exit { return RemoteResult(exit: .code(x), output: [], errorOutput: r.errorOutput) }
            return RemoteResult(exit: .signal("X"), output: [], errorOutput: r.errorOutput)
        }
        func close() async {}
    }
    struct P: RemoteProcess {
        let output: AsyncThrowingStream<RemoteOutput, any Error>
        let p: LocalProcess
        func exit() async throws -> RemoteExit { if case .code(let x) = await p.exit() { return .code(x) }; return .signal("X") }
    }
}
