import Shared
import Testing

@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct FailedActivationTests {
    @Test func theRecordedGenerationIsBackAndActivatedAgainAndNothingIsDeleted() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let result = try await scene.deploy("two", then: "echo the disk is square >&2; exit 7")
            expect(
                result, is: .rolledBack, says: "the disk is square", "exit status 7", "rolled back, now on generation 1"
            )
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    @Test("R16: a failed first deploy leaves no link")
    func aFailedFirstDeployLeavesNoLink() async throws {
        try await Scene.with { scene in
            let result = try await scene.deploy("one", then: "exit 7")
            expect(result, is: .rolledBack, says: "rolled back", "there was no earlier generation")
            #expect(try await scene.state() == .init(current: nil, generations: [1], marks: ["one"]))
            try await scene.deployed("two")
            #expect(try await scene.state().current == 2)
        }
    }

    @Test(arguments: [("autoRollback = false;", [String]()), ("", ["--auto-rollback", "false"])])
    func withoutAutoRollbackItIsLeftOnTheNewGeneration(extra: String, words: [String]) async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let result = try await scene.deploy("two", then: "exit 7", extra: extra, words)
            expect(
                result, is: .left, says: "was left on generation 2, since autoRollback is off", "hint: look at it there"
            )
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    /// Not one back from the newest, but where the operator had put it.
    @Test("R13: a rollback goes to the generation that the operator had switched to")
    func aRollbackGoesToTheGenerationThatTheOperatorHadSwitchedTo() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one", "two", "three")
            try await scene.node.shell("nix-env -p /nix/var/nix/profiles/system --switch-generation 2")
            let result = try await scene.deploy("four", then: "exit 1")
            expect(result, is: .rolledBack, says: "activating (now generation 2)", "rolled back, now on generation 2")
            let marks = ["one", "two", "three", "four", "two"]
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2, 3, 4], marks: marks))
        }
    }

    /// The second one takes its whole process group with it, but not the guardian.
    @Test(arguments: [("kill -SEGV $$", "signal 11"), ("kill -KILL 0", "signal 9")])
    func aSignalIsNamed(words: String, signal: String) async throws {
        try await Scene.with { scene in
            let result = try await scene.deploy("one", then: words)
            expect(result, is: .rolledBack, says: signal)
        }
    }

    @Test func anActivationThatHangsIsEndedWithItsChildren() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let hang = "sleep 1234 & echo $! >/root/child; trap 'touch /root/asked' TERM; wait; wait"
            let result = try await scene.deploy("two", then: hang, extra: "activationTimeout = 5;")
            expect(
                result, is: .rolledBack, says: "did not end in time and was stopped", "rolled back, now on generation 1"
            )
            #expect(try await scene.node.shell("ls /root/asked") == "/root/asked")
            #expect(try await scene.node.shell("kill -0 $(cat /root/child) 2>&1 || true").contains("No such process"))
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    /// Whoever holds the script's output is not waited for, in an activation that starts a service.
    @Test func aServiceThatAnActivationStartsLivesOnAndHoldsNothingUp() async throws {
        try await Scene.with { scene in
            let result = try await scene.deploy("one", then: "sleep 4321 & echo $! >/root/service")
            expect(result, is: .done)
            #expect(try await scene.node.shell("ps -o args= -p $(cat /root/service)") == "sleep 4321")
        }
    }

    @Test func aRollbackThatFailsIsToldAsStuck() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one", then: "test ! -e /root/broken")
            let result = try await scene.deploy("two", then: "touch /root/broken; exit 1")
            expect(result, is: .stuck, says: "stuck on generation 1", "the rollback failed", "hint: look at it there")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }
}
