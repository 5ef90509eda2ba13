import Foundation
import Shared
import Testing

@testable import Deployer

@Suite(.serialized, .timeLimit(.minutes(2)))
struct SSHLoginTests {
    private func connector(
        _ choice: TransportChoice = .automatic, _ prompter: TestPrompter = TestPrompter(), log: TestLog = TestLog()
    ) -> SSHConnector {
        var environment = currentEnvironment()
        environment["SSH_AUTH_SOCK"] = nil
        return SSHConnector(choice: choice, prompter: prompter, environment: environment) { log.add($0) }
    }

    @Test(arguments: [TransportChoice.libssh2, .openssh])
    func aCommandRunsOverEitherTransport(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let remote = try await connector(choice).connect(server.destination())
        let result = try await remote.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
        #expect(result.exit == .code(3))
        #expect(result.text == "out\n")
        #expect(result.errorText == "err")
        let answer = try await remote.run(["cat"], input: Array("through stdin".utf8))
        #expect(answer.text == "through stdin")
        await remote.close()
    }
}
