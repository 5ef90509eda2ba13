import Shared
import Testing

@testable import Deployer

private let rolledBack = VerdictReport(.rolledBack, generation: ActivationScene.old, reason: "it was revoked")

@Suite(.timeLimit(.minutes(10)))
struct ProfileRevocationTests {
    private func revoke(_ node: FakeNode, within limit: Duration = .seconds(300)) async throws -> ProfileOutcome {
        let scene = try ActivationScene(node)
        let revocation = ProfileRevocation(
            profile: scene.profile, connection: scene.connection, connector: scene.connector, console: scene.console,
            mode: scene.mode, committed: VerdictReport(.committed, generation: ActivationScene.new),
            nonce: ActivationScene.nonce, tail: OutputTail())
        return await revocation.run(within: limit)
    }

    @Test func itIsTakenBackByItsNonce() async throws {
        let node = FakeNode().on("revoke", .events(.rollingBack(reason: "it was revoked"), .verdict(rolledBack)))
        guard case .revoked(rolledBack) = try await revoke(node) else {
            Issue.record("expected that it was taken back")
            return
        }
        let line = "/nix/store/agent/bin/activate revoke --profile-user root --profile-name system --nonce 00ff"
        #expect(node.commands == [["sudo", "-u", "root"] + line.split(separator: " ").map(String.init)])
        #expect(node.connections == 0)
    }

    @Test func aLostConnectionIsAnsweredByAskingAgain() async throws {
        let node = FakeNode().on(
            "revoke", .events(.rollingBack(reason: "it was revoked"), breaks: true), .events(.verdict(rolledBack)))
        node.refuse(1)
        guard case .revoked(rolledBack) = try await revoke(node) else {
            Issue.record("expected that it was taken back")
            return
        }
        #expect(node.connections == 2)
    }

    @Test func anAgentThatDoesNotKnowHowItEndedIsAskedAgain() async throws {
        let node = FakeNode().on(
            "revoke", .text("", exit: .code(ExitCode.unknown.rawValue)), .events(.verdict(rolledBack)))
        guard case .revoked(rolledBack) = try await revoke(node) else {
            Issue.record("expected that it was taken back")
            return
        }
        #expect(node.connections == 1)
    }

    /// An old script that hangs holds nobody for ever: the node is asked once more, then it is called unknown.
    @Test func aNodeThatDoesNotEndIsUnknown() async throws {
        let node = FakeNode().on("revoke", .events(.rollingBack(reason: "it was revoked"), hangs: true))
        guard case .unknown = try await revoke(node, within: .milliseconds(200)) else {
            Issue.record("expected that nothing is known")
            return
        }
        #expect(node.commands.count == 2)
    }

    @Test func aNodeThatRefusesKeepsItDeployed() async throws {
        let refusal = VerdictReport(.failed, generation: ActivationScene.new, reason: "someone else has moved it")
        let node = FakeNode().on("revoke", .events(.verdict(refusal)))
        guard case .notRevoked(let report, let error) = try await revoke(node) else {
            Issue.record("expected that it was not taken back")
            return
        }
        #expect(report == VerdictReport(.committed, generation: ActivationScene.new))
        #expect(describe(error) == "someone else has moved it")
    }
}
