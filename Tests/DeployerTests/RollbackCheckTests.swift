import Shared
import Testing

@testable import Deployer

@Suite(.timeLimit(.minutes(10)))
struct RollbackCheckTests {
    private func look(_ status: ProfileStatus, boot: Bool = false) async throws -> RollbackFinding {
        let node = FakeNode().on("status", .text(try JSONLine.encode(status) + "\n"))
        let scene = try ActivationScene(node)
        let finding = await RollbackCheck(
            profile: scene.profile, connection: scene.connection, connector: scene.connector, console: scene.console,
            nonce: ActivationScene.nonce, boot: boot, tail: OutputTail()
        ).run()
        #expect(node.connections == 1, "over a connection of its own")
        return finding
    }

    private func status(_ generation: Generation?, system: ProfileStatus.System? = nil) -> ProfileStatus {
        let activation = ProfileStatus.Activation(
            state: .rolledBack, nonce: ActivationScene.nonce, closure: "/nix/store/new", deployer: "alice@laptop",
            startedAt: 0, previous: ActivationScene.old, report: nil, isGuarded: false, secondsLeft: nil)
        return ProfileStatus(
            profile: "/nix/var/nix/profiles/system", generation: generation, activation: activation, system: system)
    }

    private func system(_ running: String, isAsRecorded: Bool) -> ProfileStatus.System {
        .init(running: running, ofGeneration: "/nix/store/old-system", isAsRecorded: isAsRecorded)
    }

    @Test func whatIsAsRecordedIsVerified() async throws {
        #expect(try await look(status(ActivationScene.old)) == .verified)
        let same = system("/nix/store/old-system", isAsRecorded: true)
        #expect(try await look(status(ActivationScene.old, system: same)) == .verified)
    }

    @Test func anotherLinkOrSystemIsNot() async throws {
        let reason = "the profile is on generation 2, /nix/store/new, not on generation 1, /nix/store/old"
        #expect(try await look(status(ActivationScene.new)) == .different(reason: reason))
        let other = system("/nix/store/new-system", isAsRecorded: false)
        let systems = "the running system is /nix/store/new-system, not /nix/store/old-system"
        #expect(try await look(status(ActivationScene.old, system: other)) == .different(reason: systems))
        #expect(try await look(status(ActivationScene.old, system: other), boot: true) == .verified)
    }

    @Test func anothersDeployIsNoEvidence() async throws {
        var later = status(ActivationScene.new)
        later.activation?.nonce = "11"
        #expect(try await look(later) == .notSeen(reason: "someone else has deployed it since"))
    }

    @Test func theExitStatusTellsADifference() throws {
        let report = VerdictReport(.rolledBack, generation: ActivationScene.old)
        var result = ProfileResult(
            profile: ActivationScene.profile, outcome: .ended(report, nonce: "00"), tail: OutputTail())
        for finding in [RollbackFinding.verified, .notSeen(reason: "x")] {
            result.rollback = finding
            #expect(result.exitCode == .rolledBack)
        }
        result.rollback = .different(reason: "x")
        #expect(result.exitCode == .stuck)
        let row = Summary(results: [result], progress: ProgressModel()).text.split(separator: "\n").last
        #expect(row == "web1  system   1           rolled back, not verified  -     x")
    }
}
