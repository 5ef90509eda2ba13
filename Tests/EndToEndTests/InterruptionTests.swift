import Foundation
import Shared
import Testing

/// Whatever dies on the way, the node ends in a state that it can name.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct InterruptionTests {
    /// Ends the sshd processes of all logins, not the listener.
    private static let endSessions = "pkill -9 -f '^sshd(-session)?: [a-z]+'"
    private static let killGuardian = "pkill -9 -f '[b]in/activate guardian'"
    private static let rolledBack = Scene.State(current: 1, generations: [1, 2], marks: ["one", "two", "one"])

    @Test("R20: an activation outlives its SSH session, and is told as it ended", arguments: [true, false])
    func anActivationOutlivesItsSSHSession(succeeds: Bool) async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let end = succeeds ? "true" : "echo the disk is square; exit 1"
            let run = try scene.start("two", then: "\(Script.hold); \(end)")
            try await scene.node.waits(for: Script.isHeld)
            try await scene.node.shell(Self.endSessions)
            try await run.says("contact was lost")
            try await scene.node.shell(Script.release)
            if succeeds {
                try await expect(run, endsAs: .done, says: "deployed and confirmed on generation 2")
                #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
            } else {
                // Nobody was there to hear its last words, but the node has kept them.
                try await expect(
                    run, endsAs: .rolledBack, says: "rolled back, now on generation 1",
                    "the last lines of its activation again:\nweb1: system: the disk is square")
                #expect(try await scene.state() == Self.rolledBack)
            }
        }
    }

    @Test func aGuardianThatIsKilledDuringTheActivationIsReplacedAndTheTruthTold() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: Script.hold)
            try await scene.node.waits(for: Script.isHeld)
            try await scene.node.shell(Self.killGuardian)
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 1")
            #expect(try await scene.state() == Self.rolledBack)
        }
    }

    /// The network is cut, so that nothing confirms before the guardian is gone.
    @Test func aGuardianThatIsKilledWhileItWaitsIsReplacedAndTheTruthTold() async throws {
        try await Scene.with { scene in
            let run = try await awaiting(scene)
            try await scene.node.shell(Self.killGuardian)
            try await scene.lab.tool("heal", "web1")
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 1")
            #expect(try await scene.state() == Self.rolledBack)
        }
    }

    /// Guardian and relay die, and the deployer goes away: only the journal is left.
    @Test func theNextDeployFinishesWhatWasInterruptedAndSaysSo() async throws {
        try await Scene.with { scene in
            let run = try await awaiting(scene)
            try await run.kill()
            try await scene.node.shell("pkill -9 -f '[b]in/activate'")
            try await scene.lab.tool("heal", "web1")
            let status = try await scene.status()
            expect(status, is: .done, says: "generation 2", "interrupted: the next deploy finishes it")
            #expect(try await scene.state().current == 2)
            let result = try await scene.deploy("three")
            expect(
                result, is: .done, says: "was interrupted: finishing it", "ended as rolledBack",
                "activating (now generation 1)", "deployed and confirmed on generation 3")
            let marks = ["one", "two", "one", "three"]
            #expect(try await scene.state() == .init(current: 3, generations: [1, 2, 3], marks: marks))
        }
    }

    @Test("R21: after a power loss the next deploy recovers first")
    func afterAPowerLossTheNextDeployRecoversFirst() async throws {
        try await Scene.with { scene in
            try await losePower(scene)
            let result = try await scene.deploy("three", then: "exit 1")
            expect(
                result, is: .rolledBack, says: "was interrupted: finishing it", "ended as rolledBack",
                "rolled back, now on generation 1")
            let marks = ["one", "two", "one", "three", "one"]
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2, 3], marks: marks))
        }
    }

    /// The deployer stays: it finds the node again after the power loss and has it recover.
    @Test("R26: a deploy that waits through a power loss tells the rollback")
    func aDeployThatWaitsThroughAPowerLossTellsTheRollback() async throws {
        try await Scene.with { scene in
            let run = try await awaiting(scene)
            try await scene.lab.tool("kill", "web1")
            try await scene.lab.tool("boot", "web1")
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 1")
            #expect(try await scene.state() == Self.rolledBack)
        }
    }

    @Test func aDryRunOnlyReportsWhatWasInterrupted() async throws {
        try await Scene.with { scene in
            try await losePower(scene)
            let result = try await scene.deploy("three", ["--dry-activate"])
            expect(result, is: .done, says: "was interrupted: the next deploy will finish it first")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    /// Deploys `one`, then `two` up to its wait for the confirmation, with the cable cut.
    private func awaiting(_ scene: Scene) async throws -> RunningDeploy {
        try await scene.deployed("one")
        let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "120"])
        try await scene.node.waits(for: Script.isHeld)
        try await scene.lab.tool("cut", "web1")
        try await scene.node.shell(Script.release)
        try await scene.node.waits(for: Script.isAwaiting)
        return run
    }

    /// Node and deployer are gone while `two` waits for its confirmation; the node comes back.
    private func losePower(_ scene: Scene) async throws {
        let run = try await awaiting(scene)
        try await scene.lab.tool("kill", "web1")
        try await run.kill()
        try await scene.lab.tool("boot", "web1")
        #expect(try await scene.state().current == 2)
    }
}
