import Shared
import TestSupport
import Testing

/// The last resort after a rollback: one reboot, into the recorded generation.
@Suite(
    .serialized, .enabled(if: SystemdLab.isAvailable, Comment(rawValue: SystemdLab.obstacle ?? "")),
    .timeLimit(.minutes(10)))
struct RebootTests {
    private static let reboots = "rebootIfStuck = true;"
    /// Neither outlives a boot.
    private static let breaks = "touch /run/broken; exit 1"
    private static let worksUnlessBroken = "[ ! -e /run/broken ]"

    /// Waits until the node has gone down by itself.
    private func goesDown(_ scene: Scene) async throws {
        try await eventually("the node is off") {
            try await scene.lab.tool("list").text.contains("web1             off")
        }
    }

    /// Starts it again then, as a machine would.
    private func reboot(_ scene: Scene) async throws {
        try await goesDown(scene)
        try await scene.lab.tool("boot", "web1")
    }

    @Test("R29: where the old generation cannot be activated again, one reboot into it makes that possible")
    func aRebootCuresIt() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one", then: Self.worksUnlessBroken)
            let run = try scene.start("two", then: Self.breaks, extra: Self.reboots)
            try await goesDown(scene)
            // Nothing is told before the node is back.
            #expect(!run.text.contains("rolled back, now on") && !run.text.contains("is stuck"), "\(run.text)")
            try await scene.lab.tool("boot", "web1")
            try await expect(
                run, endsAs: .rolledBack, says: "it may be rebooting", "it has been rebooted (",
                "deploy-rs-activate: exit status 1",
                "rolled back, now on generation 1", "rolled back, verified")
            #expect(
                try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one", "one"]))
            expect(try await scene.status(), is: .done, says: "rolledBack", "it has been rebooted")
        }
    }

    @Test("R29: where a reboot does not help, the node is stuck, and is not rebooted again")
    func aRebootDoesNotHelp() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one", then: "[ ! -e /root/broken ]")
            let run = try scene.start("two", then: "touch /root/broken; exit 1", extra: Self.reboots)
            try await reboot(scene)
            let boot = try await scene.node.shell("cat /proc/sys/kernel/random/boot_id")
            try await expect(run, endsAs: .stuck, says: "is stuck on generation 1", "it has been rebooted (")
            #expect(try await scene.state().marks == ["one", "two", "one", "one"])
            #expect(try await scene.node.shell("cat /proc/sys/kernel/random/boot_id") == boot)
            #expect(try await scene.node.shell("systemctl list-jobs reboot.target --no-legend") == "")
        }
    }

    @Test("R29: a critical unit that does not start is a reason for a reboot, too")
    func aCriticalUnitStaysDown() async throws {
        try await SystemdLab.withScene { scene in
            let unit =
                "[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/sh -c \"\(Self.worksUnlessBroken)\"\\n"
            try await scene.node.shell(
                "printf %b '\(unit)' >/etc/systemd/system/fragile.service; systemctl daemon-reload")
            try await scene.deployed("one")
            let extra = #"criticalUnits = [ "fragile.service" ]; \#(Self.reboots)"#
            let run = try scene.start("two", then: Self.breaks, extra: extra)
            try await reboot(scene)
            try await expect(
                run, endsAs: .rolledBack,
                says: "it has been rebooted (fragile.service, which is critical, does not start (failed)",
                "fragile.service, which is critical, did not run and was started", "rolled back, verified")
        }
    }

    @Test("R29: a node whose boot finishes it tells the same, and is asked later where nobody waited")
    func theBootFinishesIt() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one", then: Self.worksUnlessBroken)
            try await BootTests.install(on: scene.node)
            let run = try scene.start("two", then: Self.breaks, extra: Self.reboots)
            try await goesDown(scene)
            try await run.kill()
            try await scene.lab.tool("boot", "web1")
            try await scene.node.waits(for: Script.has("rolledBack"))
            expect(try await scene.status(), is: .done, says: "rolledBack", "it has been rebooted")
            #expect(try await scene.state().marks == ["one", "two", "one", "one"])
        }
    }

    @Test("R29: where nobody waited, it is told as interrupted, and the next deploy finishes it")
    func theNextDeployFinishesIt() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one", then: Self.worksUnlessBroken)
            let run = try scene.start("two", then: Self.breaks, extra: Self.reboots)
            try await goesDown(scene)
            try await run.kill()
            try await scene.lab.tool("boot", "web1")
            expect(
                try await scene.status(), is: .done,
                says: "rollingBack (interrupted: the next deploy finishes it), told to reboot (")
            let result = try await scene.deploy("three")
            expect(
                result, is: .done, says: "the interrupted activation ended as rolledBack", "it has been rebooted (",
                "deployed and confirmed on generation 3")
            #expect(try await scene.state().marks == ["one", "two", "one", "one", "three"])
        }
    }

    /// The deployer hears of no rollback and of no reboot, and is not there before the deadline that it knew of is over.
    @Test("R29: a deployer that is cut off before all that is told the verdict after it")
    func aDeployerThatHeardNothing() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one", then: Self.worksUnlessBroken)
            let run = try scene.start(
                "two", then: "touch /run/broken; \(Script.hold)", extra: Self.reboots,
                ["--confirm-timeout", "3", "--activation-timeout", "30"])
            try await scene.node.waits(for: Script.isHeld)
            try await scene.lab.tool("cut", "web1")
            try await scene.node.shell(Script.release)
            try await reboot(scene)
            try await scene.lab.tool("heal", "web1")
            try await expect(
                run, endsAs: .rolledBack, says: "not confirmed within", "it has been rebooted (",
                "rolled back, verified")
        }
    }

    @Test("R29: unless it is asked for, nothing reboots")
    func offByDefault() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one", then: Self.worksUnlessBroken)
            let boot = try await scene.node.shell("cat /proc/sys/kernel/random/boot_id")
            let result = try await scene.deploy("two", then: Self.breaks)
            expect(result, is: .stuck, says: "is stuck on generation 1")
            #expect(!result.errorText.contains("reboot"), "\(result.errorText)")
            #expect(try await scene.node.shell("cat /proc/sys/kernel/random/boot_id") == boot)
            #expect(try await scene.node.shell("systemctl list-jobs reboot.target --no-legend") == "")
        }
    }

    /// A wrapped NixOS system, whose switch leaves `NAME ACTION`, and does what follows.
    private func write(_ scene: Scene, _ version: String, then: String) throws {
        let script = "#!/bin/sh\necho \(version) $1 >>/root/marks\n\(then)\n"
        let base = """
            (derivation {
              inherit system; name = "nixos-\(version)"; builder = "/bin/sh"; script = \(nixString(script));
              args = [ "-c" ''/bin/mkdir -p $out/bin; printf %s "$script" >$out/bin/switch-to-configuration
                /bin/chmod +x $out/bin/switch-to-configuration'' ];
            })
            """
        let activation = "\"$PROFILE\"/bin/switch-to-configuration switch"
        try scene.fixture.write([
            .init(extra: Self.reboots, path: "activate.custom \(base) \(nixString(activation))")
        ])
    }

    @Test("R29: the old NixOS system is what boots, before anything reboots")
    func theBootLoaderIsToldFirst() async throws {
        try await SystemdLab.withScene { scene in
            try write(scene, "one", then: "[ $1 = boot ] || \(Self.worksUnlessBroken)")
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            try write(scene, "two", then: Self.breaks)
            let run = try scene.lab.start([scene.fixture.flake])
            try await reboot(scene)
            try await expect(run, endsAs: .rolledBack, says: "it has been rebooted (", "rolled back, verified")
            #expect(
                try await scene.state().marks == [
                    "one switch", "two switch", "one switch", "one boot", "one switch", "one boot",
                ])
        }
    }

    @Test("R29: where the old system cannot be made what boots, nothing reboots, and that is told")
    func theBootLoaderCannotBeTold() async throws {
        try await SystemdLab.withScene { scene in
            try write(scene, "one", then: Self.worksUnlessBroken)
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            try write(scene, "two", then: Self.breaks)
            let boot = try await scene.node.shell("cat /proc/sys/kernel/random/boot_id")
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(
                result, is: .stuck, says: "is stuck on generation 1",
                "it was not rebooted: the old system could not be made what boots", "boot: exit status 1")
            #expect(try await scene.state().marks == ["one switch", "two switch", "one switch", "one boot"])
            #expect(try await scene.node.shell("cat /proc/sys/kernel/random/boot_id") == boot)
        }
    }

    @Test("R29: a node without systemd is not rebooted, which is told")
    func withoutSystemd() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one", then: "[ ! -e /root/broken ]")
            let result = try await scene.deploy("two", then: "touch /root/broken; exit 1", extra: Self.reboots)
            expect(result, is: .stuck, says: "it was not rebooted: it has no systemd, which would do so")
        }
    }
}
