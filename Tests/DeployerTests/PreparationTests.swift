import Shared
import Testing

@testable import Deployer

@Suite(.timeLimit(.minutes(10)))
struct PreparationTests {
    private func preparation(_ node: FakeNode) throws -> Preparation {
        let console = try Console(showsDebug: false, usesColor: false, logDirectory: nil)
        let copier = Copier(console: console, checksSignatures: false)
        // Nothing that is built here.
        var profile = PlannedProfile.rootSystem
        profile.remoteBuild = true
        let looks = Preflights(Limits()) { copies in
            Preflight(
                connector: FakeConnector(node: node), agents: AgentBinary(paths: [:]), console: console, copier: copier,
                copies: copies, askPassword: { _ in nil })
        }
        return Preparation(
            plan: Plan(nodes: [PlannedNode(name: profile.node, hostname: "web1", profiles: [profile])]), sources: [],
            options: try Options([]), console: console, preflights: looks,
            builder: Builder(nix: Nix(version: .assumed, hasFlakes: true, environment: [:])), copier: copier)
    }

    @Test(arguments: [Stage.preflight, .agent, .copy, .build, .activation, .revoke])
    func aConnectionThatIsLostBeforeTheActivationHasChangedNothing(stage: Stage) {
        let lost = SSHError.lost(host: "web1", reason: "silence")
        let hint = StageFailure(node: NodeName("web1"), profile: nil, stage: stage, cause: lost).hint
        let words = stage == .activation || stage == .revoke ? "the node decides" : "nothing has changed on the node"
        #expect(hint?.hasPrefix(words) == true)
    }

    /// The failure that ends all others' work must be known by then: else it would look like an interruption.
    @Test func aNodeThatCannotBeReachedIsWhatEndsTheRun() async throws {
        for _ in 0..<200 {
            let node = FakeNode()
            node.refuse(1)
            let preparation = try preparation(node)
            await #expect(throws: PreparationError.self) { try await preparation.run() }
            await preparation.preflights.close()
        }
    }
}
