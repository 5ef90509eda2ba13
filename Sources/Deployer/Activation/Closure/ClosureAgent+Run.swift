import Shared

extension ClosureAgent {
    /// Runs a command to its end and passes on what it writes.
    ///
    /// - Parameter tail: keeps the last of it
    /// - Throws: ``SSHError``
    func run(_ command: Command, _ console: Console, _ tail: OutputTail) async throws -> RemoteExit {
        console.tell(.debug, "running \(shellQuoted(command.words))", node: profile.node)
        let process = try await connection.login.remote().start(command.words, input: command.input)
        var output = LineSplitter()
        var errors = LineSplitter()
        func pass(_ stream: OutputStream, _ lines: [String]) {
            for line in lines {
                tail.hear(.output(stream: stream, line: line))
                console.relay(line, from: profile.name.text, node: profile.node)
            }
        }
        for try await piece in process.output {
            switch piece {
            case .stdout(let bytes): pass(.stdout, output.add(bytes))
            case .stderr(let bytes): pass(.stderr, errors.add(bytes))
            }
        }
        pass(.stdout, [output.finish()].compactMap(\.self))
        pass(.stderr, [errors.finish()].compactMap(\.self))
        return try await process.exit()
    }
}
