import Glibc
import Shared
import Testing

/// What can be reached need not be well: checks on the node, and probes from here, decide before anything is confirmed.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct HealthTests {
    private func expectTakenBack(_ scene: Scene, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        #expect(
            try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]),
            sourceLocation: sourceLocation)
    }

    @Test("R32, G6: what is healthy is committed; what is not is rolled back, with the check's last words kept")
    func aHealthCheckDecides() async throws {
        try await Scene.with { scene in
            let checks = #"healthCheck = [ "test -e /root/marks" "[ $(readlink $PROFILE) = system-1-link ]" ];"#
            let good = try await scene.deploy("one", extra: checks)
            expect(
                good, is: .done, says: "checking its health (for 30 s at most)", "healthy", "confirmed on generation 1")
            let bad = #"healthCheck = "echo the queue is stuck >&2; exit 9"; healthTimeout = 5;"#
            let result = try await scene.deploy("two", extra: bad)
            expect(
                result, is: .rolledBack, says: "the queue is stuck", "tries in 5 s: exit status 9",
                "rolled back, now on generation 1", "rolled back, verified")
            try await expectTakenBack(scene)
            let words = ["\(Lab.prefix ?? "")/bin/deploy", "status", "--history", "1", scene.fixture.flake]
            expect(try await scene.lab.run(words), is: .done, says: "the queue is stuck")
            let skipped = try await scene.deploy("three", extra: bad, ["--skip-health-checks"])
            expect(skipped, is: .done, says: "confirmed on generation 3")
        }
    }

    @Test("R32: what becomes healthy at the third try is committed", arguments: [true, false])
    func aSlowStartIsWaitedFor(magicRollback: Bool) async throws {
        try await Scene.with { scene in
            let check = #"healthCheck = "echo . >>/root/tries; [ $(wc -l </root/tries) -ge 3 ]";"#
            let result = try await scene.deploy("one", extra: "\(check) magicRollback = \(magicRollback);")
            expect(result, is: .done, says: "healthy, at try 3")
            #expect(try await scene.node.shell("wc -l </root/tries") == "3")
        }
    }

    @Test("R32: a check that hangs is ended with its children, and counts as failed")
    func aCheckThatHangs() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let check = #"healthCheck = "sleep 1234 & echo $! >/root/child; wait"; magicRollback = false;"#
            let result = try await scene.deploy("two", extra: check, ["--health-timeout", "2"])
            expect(result, is: .rolledBack, says: "1 try in 2 s: it did not end and was stopped")
            #expect(try await scene.node.shell("kill -0 $(cat /root/child) 2>&1 || true").contains("No such process"))
            try await expectTakenBack(scene)
        }
    }

    @Test("R21, R32: a guardian killed during the check is replaced, and the rollback told")
    func aGuardianKilledDuringTheCheck() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", extra: "healthCheck = \(nixString(Script.hold));")
            try await scene.node.waits(for: Script.isHeld)
            try await scene.node.shell("pkill -9 -f '[b]in/activate guardian carry'")
            try await expect(
                run, endsAs: .rolledBack, says: "another one finishes its work", "rolled back, now on generation 1")
            #expect(try await scene.node.shell("pgrep -fc '[g]o ]; do sleep' || true") == "0")
            try await expectTakenBack(scene)
        }
    }

    /// One that logs in over the real network, as a person would look.
    private static let probe =
        #"probe = "echo $DEPLOY_NODE $DEPLOY_PROFILE; ssh root@$DEPLOY_HOSTNAME test -e /root/serving";"#

    @Test("R32, G6: a probe from the deployer's side decides, and what it refuses is taken back before the deadline")
    func aProbeDecides() async throws {
        try await Scene.with { scene in
            let good = try await scene.deploy("one", then: "touch /root/serving", extra: Self.probe)
            expect(good, is: .done, says: "probing it from here", "deployed and confirmed on generation 1")
            let run = try scene.start(
                "two", then: "rm /root/serving", extra: Self.probe, ["--confirm-timeout", "30", "--json"])
            try await expect(
                run, endsAs: .rolledBack, says: "web1: probe: web1 system", "it was revoked: the probe failed, ",
                "rolled back, now on generation 1", "\"phase\":\"probe\"")
            #expect(!run.text.contains("not confirmed within"), "\(run.text)")
            try await expectTakenBack(scene)
        }
    }

    /// The node then has nobody who would tell it, and decides by itself.
    @Test("R32: a probe that is interrupted leaves nothing behind, and the node takes itself back")
    func aProbeIsInterrupted() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let number = 72_000_000 + Int(getpid())
            let started = "\(scene.lab.folder)/probing"
            let extra = "probe = \(nixString("echo >\(started); sleep \(number)"));"
            let run = try scene.start("two", extra: extra, ["--confirm-timeout", "10"])
            try await scene.lab.waits(for: started)
            run.signal(SIGINT)
            try await run.says("left alone, the node rolls it back")
            run.signal(SIGINT)
            try await expect(run, endsAs: .interrupted, says: "left: the nodes end what they have begun")
            #expect(try await !LocalCommand(["pgrep", "-f", "sleep \(number)"]).run().exit.isSuccess)
            try await scene.node.waits(for: Script.has("rolledBack"))
            try await expectTakenBack(scene)
        }
    }

    @Test func aProbeWithoutAConfirmationIsRefusedBeforeAnythingChanges() async throws {
        try await Scene.with { scene in
            let result = try await scene.deploy("one", extra: Self.probe, ["--magic-rollback", "false"])
            expect(result, is: .failed, says: "profiles.system.probe", "with magicRollback off there is none")
            #expect(try await scene.state() == .init(current: nil, generations: [], marks: []))
        }
    }

    @Test func eventsOfItFitTheirSchema() async throws {
        try await Scene.with { scene in
            let result = try await scene.deploy("one", extra: #"healthCheck = "true"; probe = "true";"#, ["--json"])
            expect(result, is: .done, says: "\"phase\":\"healthCheck\"", "\"phase\":\"probe\"")
            #expect(try JSONSchema(file: "\(Lab.root)/events.json").problems(inLines: result.text) == [])
        }
    }

    @Test("R32: deploy-rs's own agent runs no check, which is told, and a probe decides there too")
    func aClosuresOwnAgent() async throws {
        try await Scene.with { scene in
            let closure = ["--agent", "closure"]
            let one = try await scene.deploy("one", extra: #"healthCheck = "exit 1"; probe = "true";"#, closure)
            let warning = "profile \"system\": the closure's own agent, which is deploy-rs's, runs no healthCheck"
            expect(one, is: .done, says: "web1: warn: \(warning)")
            let short = closure + ["--confirm-timeout", "4"]
            let two = try await scene.deploy("two", extra: #"probe = "echo no good; exit 1";"#, short)
            expect(two, is: .rolledBack, says: "web1: probe: no good", "the probe failed")
            try await expectTakenBack(scene)
        }
    }
}
