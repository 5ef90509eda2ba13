import Shared
import Testing

/// Units of a real systemd that a bad activation stops, and a rollback does not bring back by itself.
@Suite(
    .serialized, .enabled(if: SystemdLab.isAvailable, Comment(rawValue: SystemdLab.obstacle ?? "")),
    .timeLimit(.minutes(10)))
struct CriticalUnitsTests {
    @Test("R29: a critical unit that a bad activation stops runs again after the rollback, and what is failed is named")
    func theMachinesOwn() async throws {
        try await SystemdLab.withScene { scene in
            let unit = "[Service]\\nType=oneshot\\nExecStart=/bin/sh -c 'echo words of %n; exit 1'\\n"
            try await scene.node.shell(
                "printf %b \"\(unit)\" >/etc/systemd/system/hopeless.service; systemctl daemon-reload")
            try await scene.deployed("one")
            let extra = #"criticalUnits = [ "ssh" "hopeless.service" ];"#
            let result = try await scene.deploy("two", then: "systemctl stop ssh; exit 1", extra: extra)
            expect(
                result, is: .rolledBack, says: "ssh, which is critical, did not run and was started",
                "hopeless.service, which is critical, does not start (failed)",
                "these units are failed: hopeless.service", "words of hopeless.service",
                "rolled back, now on generation 1", "rolled back, verified")
            #expect(try await scene.node.shell("systemctl is-active ssh") == "active")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    /// Nobody can log in until the node has helped itself.
    @Test("R29: what keeps the confirmation out is started again after the deadline")
    func whatKeepsTheConfirmationOut() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one")
            let extra = #"criticalUnits = [ "ssh" ];"#
            let result = try await scene.deploy(
                "two", then: "systemctl stop ssh", extra: extra, ["--confirm-timeout", "3"])
            expect(
                result, is: .rolledBack, says: "not confirmed within 3 s; ssh, which is critical, did not run and was",
                "rolled back, verified")
        }
    }

    @Test("R29: a user's critical unit is the user's own systemd's")
    func aUsersOwn() async throws {
        try await SystemdLab.withScene(options: ["--trust", "app"]) { scene in
            try await scene.node.shell("loginctl enable-linger app")
            try await scene.node.waits(for: "[ -S /run/user/2001/bus ]")
            let runtime = "XDG_RUNTIME_DIR=/run/user/2001"
            let unit = "[Service]\\nExecStart=/bin/sleep infinity\\n"
            try await scene.node.shell(
                """
                mkdir -p ~/.config/systemd/user; printf %b "\(unit)" >~/.config/systemd/user/steady.service
                \(runtime) systemctl --user daemon-reload; \(runtime) systemctl --user start steady
                """, as: "app")
            let extra = #"sshUser = "app"; criticalUnits = [ "steady" ];"#
            for (version, script) in [("one", "true"), ("two", "systemctl --user stop steady; exit 1")] {
                try scene.fixture.write(
                    [.init(name: "app", user: "app", activation: script, extra: extra)], version: version)
                let result = try await scene.lab.deploy([scene.fixture.flake])
                if version == "one" {
                    expect(result, is: .done)
                } else {
                    expect(result, is: .rolledBack, says: "steady, which is critical, did not run and was started")
                }
            }
            #expect(try await scene.node.shell("\(runtime) systemctl --user is-active steady", as: "app") == "active")
        }
    }
}
