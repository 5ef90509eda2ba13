import Shared
import Testing

/// The guardian of root's profiles outlives everything but the machine, where systemd and logind rule.
@Suite(
    .serialized, .enabled(if: SystemdLab.isAvailable, Comment(rawValue: SystemdLab.obstacle ?? "")),
    .timeLimit(.minutes(10)))
struct SystemdTests {
    private static let units = "'deploy-swift-system-*.service'"
    private static let endSessions = "systemctl kill --signal=KILL 'session-*.scope'"
    private static let guardian = "[a]ctivate guardian carry"

    @Test func rootsGuardianIsAUnitOfTheSystem() async throws {
        try await SystemdLab.withScene { scene in
            let result = try await scene.deploy(
                "one", then: "tail -n 1 /proc/self/cgroup; echo \"id=${INVOCATION_ID:-}.\"")
            expect(result, is: .done, says: "/system.slice/deploy-swift-system-", "id=.", "confirmed on generation 1")
            // Nothing stays behind, not even a failed unit.
            try await scene.node.waits(for: "[ -z \"$(systemctl list-units --all --no-legend \(Self.units))\" ]")
        }
    }

    @Test func anActivationThatRestartsTheSSHServerIsConfirmed() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one", then: "systemctl restart ssh")
            let result = try await scene.deploy("two", then: "systemctl stop ssh; sleep 1; systemctl start ssh")
            expect(result, is: .done, says: "deployed and confirmed on generation 2")
        }
    }

    @Test func anActivationThatStopsTheSSHServerIsTakenBack() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one", then: "systemctl start ssh")
            let result = try await scene.deploy("two", then: "systemctl stop ssh", ["--confirm-timeout", "3"])
            expect(result, is: .rolledBack, says: "rolled back, now on generation 1", "not confirmed within 3 s")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    @Test(arguments: ["systemctl kill --signal=KILL user-0.slice", "systemctl stop user-0.slice", endSessions])
    func theEndOfTheLoginIsNotTheGuardiansEnd(end: String) async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: Script.hold)
            try await scene.node.waits(for: Script.isHeld)
            try await scene.node.shell(end)
            try await run.says("contact was lost")
            try await scene.node.shell(Script.release)
            try await expect(run, endsAs: .done, says: "deployed and confirmed on generation 2")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    /// Both in the middle of the activation and while the node waits for its confirmation.
    @Test(arguments: ["systemctl stop \(units)", "systemctl daemon-reexec", "systemctl daemon-reload"])
    func aWatchThatIsStoppedOrWhoseSystemdIsRenewedGoesOn(act: String) async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one")
            let run = try await awaiting(scene, meanwhile: act)
            try await scene.node.shell(act)
            try await scene.lab.tool("heal", "web1")
            try await expect(run, endsAs: .done, says: "deployed and confirmed on generation 2")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
            #expect(!run.text.contains("died"), "\(run.text)")
        }
    }

    /// As the kernel does when memory runs out; the cable is cut, so nobody comes who could ask.
    @Test func aGuardianThatIsKilledIsReplacedThoughNobodyAsks() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one")
            let run = try await awaiting(scene)
            try await scene.node.shell("systemctl stop user-0.slice")
            try await scene.node.shell("pkill -9 -f '\(Self.guardian)'")
            try await scene.node.waits(for: Script.has("rolledBack"))
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
            try await scene.lab.tool("heal", "web1")
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 1")
        }
    }

    @Test func aUnitThatIsKilledAsAWholeIsFinishedByWhoeverComesNext() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one")
            let run = try await awaiting(scene)
            try await scene.node.shell("systemctl kill --signal=KILL \(Self.units)")
            try await scene.lab.tool("heal", "web1")
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 1")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    @Test func withoutABusTheGuardianIsASessionOfItsOwnAndThisIsSaid() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.node.shell("systemctl stop dbus.socket dbus.service")
            let result = try await scene.deploy("one")
            expect(
                result, is: .done, says: "the guardian could not be made a unit of systemd",
                "deployed and confirmed on generation 1")
        }
    }

    /// Deploys `two` up to its wait for the confirmation, with the cable cut.
    private func awaiting(_ scene: Scene, meanwhile act: String = "true") async throws -> RunningDeploy {
        let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "120"])
        try await scene.node.waits(for: Script.isHeld)
        try await scene.node.shell(act)
        try await scene.lab.tool("cut", "web1")
        try await scene.node.shell(Script.release)
        try await scene.node.waits(for: Script.isAwaiting)
        return run
    }
}
