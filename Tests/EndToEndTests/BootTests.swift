import Foundation
import Shared
import TestSupport
import Testing

/// What a power loss interrupted is finished at the next boot, by itself.
@Suite(
    .serialized, .enabled(if: SystemdLab.isAvailable, Comment(rawValue: SystemdLab.obstacle ?? "")),
    .timeLimit(.minutes(10)))
struct BootTests {
    /// As the README says.
    private static let installation = """
        install -m 755 "$(ls -d /nix/store/*-deploy-swift-agent | head -n 1)/bin/activate" \
        /usr/local/sbin/deploy-swift-activate
        systemctl enable deploy-swift-recover.service
        systemd-analyze verify --man=no --recursive-errors=no deploy-swift-recover.service 2>&1 || true
        """

    static func install(on node: Node) async throws {
        let unit = "\(Lab.prefix ?? "")/share/deploy-swift/lib/deploy-swift-recover.service"
        let text = try #require(try? String(contentsOfFile: unit, encoding: .utf8))
        let target = "/etc/systemd/system/deploy-swift-recover.service"
        let complaints = try await node.shell("cat >\(target) <<'END'\n\(text)END\n\(Self.installation)")
        // What `enable` says of the link that it makes does not count.
        #expect(!complaints.contains("deploy-swift-recover.service:"), "\(complaints)")
    }

    @Test func rootsProfileIsPutBackAndActivatedAgain() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one")
            try await Self.install(on: scene.node)
            let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "600"])
            try await scene.node.waits(for: Script.isHeld)
            try await scene.lab.tool("cut", "web1")
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.isAwaiting)
            try await scene.lab.tool("kill", "web1")
            run.signal(SIGKILL)
            _ = try await run.exit()
            try await reboot(scene)
            try await scene.node.waits(for: Script.has("rolledBack"))
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
            expect(try await scene.status(), is: .done, says: "rolledBack")
            // A boot after which there is nothing to do changes nothing.
            try await scene.lab.tool("kill", "web1")
            try await reboot(scene)
            #expect(try await scene.state().marks == ["one", "two", "one"])
        }
    }

    @Test func aUsersProfileIsPutBackAsThatUser() async throws {
        try await SystemdLab.withScene(options: ["--trust", "app"]) { scene in
            let app = AppProfile(scene: scene, sshUser: "app")
            try await app.deployed("one")
            try await Self.install(on: scene.node)
            let run = try app.start("two", then: AppProfile.hold)
            try await scene.node.waits(for: AppProfile.isHeld)
            try await scene.lab.tool("kill", "web1")
            run.signal(SIGKILL)
            _ = try await run.exit()
            try await reboot(scene)
            try await scene.node.waits(for: AppProfile.has("rolledBack"))
            #expect(try await app.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
            #expect(try await scene.node.shell("find /home/app -not -user app") == "")
        }
    }

    /// The guardian gives way: nothing holds up the shutdown, and the next boot does its work.
    @Test func aMachineThatIsShutDownInTheWindowIsPutBackToo() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one")
            try await Self.install(on: scene.node)
            let run = try scene.start("two", then: Script.hold)
            try await scene.node.waits(for: Script.isHeld)
            try await scene.node.shell("systemctl poweroff --no-block")
            try await eventually("the node is off") {
                try await scene.lab.tool("list").text.contains("web1             off")
            }
            try await reboot(scene)
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 1")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    /// What is put back may start units that wait for the one that recovers.
    @Test func anActivationThatStartsTheSSHServerDoesNotWaitForItself() async throws {
        try await SystemdLab.withScene { scene in
            try await scene.deployed("one", then: "systemctl restart ssh")
            try await Self.install(on: scene.node)
            let run = try scene.start("two", then: Script.hold)
            try await scene.node.waits(for: Script.isHeld)
            try await scene.lab.tool("kill", "web1")
            // It stays, and asks: the node tells what it did by itself.
            try await reboot(scene)
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 1")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    /// Boots it; no unit of ours may fail.
    private func reboot(_ scene: Scene) async throws {
        try await scene.lab.tool("boot", "web1")
        let failed = "systemctl list-units --failed --no-legend --plain 'deploy-swift*' | cut -d ' ' -f 1"
        let show = "xargs -r systemctl status --no-pager --lines 50 2>&1 || true"
        let units = try await scene.node.shell("\(failed) | \(show)")
        #expect(units == "")
    }
}
