import Foundation
import Shared
import Testing

@testable import Deployer

/// The second word of a probe, after a rollback: told, and no more than that.
@Suite(.timeLimit(.minutes(10)))
struct ProbeAgainTests {
    private func look(
        _ verdict: Verdict, probe: String?, boot: Bool = false
    ) async throws -> (finding: RollbackFinding?, code: ExitCode, ran: Bool) {
        let file = NSTemporaryDirectory() + "/probe-again-\(try Nonce.random())"
        defer { unlink(file) }
        let activation = ProfileStatus.Activation(
            state: .rolledBack, nonce: ActivationScene.nonce, closure: "/nix/store/new", deployer: "alice@laptop",
            startedAt: 0, previous: ActivationScene.old, report: nil, isGuarded: false, secondsLeft: nil)
        let status = ProfileStatus(
            profile: "/nix/var/nix/profiles/system", generation: ActivationScene.old, activation: activation)
        let node = FakeNode().on("status", .text(try JSONLine.encode(status) + "\n"))
        let scene = try ActivationScene(node)
        var profile = scene.profile
        profile.probe = probe.map { "touch \(file); \($0)" }
        var mode = scene.mode
        mode.boot = boot
        let report = VerdictReport(verdict, generation: ActivationScene.old)
        var result = ProfileResult(
            profile: profile, outcome: .ended(report, nonce: ActivationScene.nonce), tail: OutputTail())
        result.rollback = await ActivationWork(connector: scene.connector, console: scene.console, mode: mode)
            .look(result, scene.connection, ActivationScene.nonce)
        return (result.rollback, result.exitCode, access(file, F_OK) == 0)
    }

    @Test(arguments: ["exit 0", "exit 1"])
    func itIsRunAgainAndChangesNoVerdict(probe: String) async throws {
        let seen = try await look(.rolledBack, probe: probe)
        #expect(seen == (.verified, .rolledBack, true))
    }

    @Test func itIsNotRunWhereNothingWasRolledBackNorForTheNextBoot() async throws {
        #expect(try await look(.stuck, probe: "exit 0") == (nil, .stuck, false))
        #expect(try await look(.rolledBack, probe: "exit 0", boot: true) == (.verified, .rolledBack, false))
        #expect(try await look(.rolledBack, probe: nil) == (.verified, .rolledBack, false))
    }
}
