import Shared
import Testing

@testable import Deployer

@Suite(.timeLimit(.minutes(10)))
struct DryActivationTests {
    private func rehearse(_ node: FakeNode) async throws -> ProfileOutcome {
        let scene = try ActivationScene(node)
        let activation = DryActivation(
            profile: scene.profile, connection: DryConnection(scene.connection), console: scene.console,
            mode: scene.mode, nonce: ActivationScene.nonce, tail: OutputTail())
        return await activation.run()
    }

    @Test func itEndsWithTheScript() async throws {
        let node = FakeNode().on("activate", .events(.activationEnded(.code(3), timedOut: false)))
        guard case .dryRun(.code(3)) = try await rehearse(node) else {
            Issue.record("expected a dry run")
            return
        }
        let line = """
            sudo -u root /nix/store/agent/bin/activate activate /nix/store/new --profile-user root --profile-name \
            system --temp-path /tmp --confirm-timeout 30 --magic-rollback --auto-rollback --dry-activate --nonce 00ff \
            --deployer alice@laptop --activation-timeout 240
            """
        #expect(node.commands.map { $0.joined(separator: " ") } == [line])
    }

    /// Nothing is confirmed, recovered or asked for: what was lost has changed nothing.
    @Test func aLostConnectionIsNotFollowedByAnything() async throws {
        let node = FakeNode().on("activate", FakeNode.Answer(breaks: true))
        guard case .notActivated(SSHError.lost) = try await rehearse(node) else {
            Issue.record("expected that nothing was activated")
            return
        }
        #expect(node.commands.count == 1)
        #expect(node.connections == 0)
    }
}
