import Foundation
import Shared
import Testing

/// A node with several addresses, and this machine as a node.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct WaysTests {
    private func hosts(_ names: [String]) -> String {
        "hostname = [ \(names.map(nixString).joined(separator: " ")) ];"
    }

    @Test(arguments: ["libssh2", "openssh"])
    func aDeadAddressDoesNotHoldTheDeployUp(transport: String) async throws {
        try await Scene.with { scene in
            try await scene.lab.tool("up", "gone")
            try await scene.lab.tool("cut", "gone")
            // Waited for, it would take a minute, and be told as the one that does not answer.
            let options = "sshOpts = [ \"-oConnectTimeout=60\" \"-oHostKeyAlias=web1\" ];"
            try scene.fixture.write([.init()], node: hosts(["gone", "web1"]) + options)
            let result = try await scene.lab.deploy(["-d", "--ssh-transport", transport, scene.fixture.flake])
            expect(result, is: .done, says: "web1 answers, before gone does", "deployed and confirmed")
        }
    }

    @Test func theConfirmationTriesEveryAddress() async throws {
        try await Scene.with { scene in
            let old = try await scene.lab.address("web1")
            let other = try await scene.lab.address("web1", "--ipv6")
            let move = "ip address del \(old)/24 dev eth0 2>/dev/null || ip address flush dev eth0 to \(old)"
            try scene.fixture.write(
                [.init(activation: move)],
                node: hosts([old, "[\(other)]"]) + "sshOpts = [ \"-oServerAliveInterval=1\" ];")
            let result = try await scene.lab.deploy(["--confirm-timeout", "120", scene.fixture.flake])
            expect(result, is: .done, says: "deployed and confirmed on generation 1")
            // The way it came is gone: what confirmed was the other one.
            #expect(try await scene.node.shell("ip -4 address show dev eth0").contains(old) == false)
        }
    }

    @Test func whereNothingAnswersEveryAddressIsNamed() async throws {
        try await Scene.with { scene in
            try await scene.node.shell("lab-service sshd stop")
            let words = ["--hostname", "web1,localhost", "--ssh-opts", "-p 1", try flake(scene)]
            let result = try await scene.lab.deploy(words)
            expect(result, is: .unreachable, says: "port 1: Connection refused", "web1", "127.0.0.1")
        }
    }

    private func flake(_ scene: Scene) throws -> String {
        try scene.write("one")
        return scene.fixture.flake
    }

    // MARK: This machine

    /// Writes the flake where the node finds it, and runs `deploy` there, as a user.
    private func deployThere(
        _ scene: Scene, _ profiles: [Fixture.Profile], version: String, node: String = "", _ words: [String],
        as user: String = "root"
    ) async throws -> LocalResult {
        let words = try await place(scene, profiles, version, node, words, user)
        try await scene.node.shell("chown -R \(user): ~\(user)/flake")
        return try await scene.lab.command(words).run(timeLimit: .seconds(120))
    }

    private func place(
        _ scene: Scene, _ profiles: [Fixture.Profile], _ version: String, _ node: String, _ words: [String],
        _ user: String
    ) async throws -> [String] {
        try scene.fixture.write(profiles, version: version, node: node)
        let disk = "\(scene.lab.folder)/nodes/\(scene.node.name)/disk"
        let manager = FileManager.default
        // The installation lies on a file system that the node may not see.
        if !manager.fileExists(atPath: "\(disk)/home/prefix") {
            // By a child: a program that is begun meanwhile would inherit a file of ours, which is then "busy".
            let copy = LocalCommand(["cp", "-r", Lab.prefix ?? "", "\(disk)/home/prefix"])
            try #require(try await copy.run().exit.isSuccess)
        }
        let home = user == "root" ? "root" : "home/\(user)"
        let text = try String(contentsOfFile: "\(scene.fixture.folder)/flake.nix", encoding: .utf8)
            .replacing("path:\(Lab.prefix ?? "")/", with: "path:/home/prefix/")
        try manager.createDirectory(atPath: "\(disk)/\(home)/flake", withIntermediateDirectories: true)
        try text.write(toFile: "\(disk)/\(home)/flake/flake.nix", atomically: true, encoding: .utf8)
        let there = ["\(Lab.root)/lab/lab", "exec", scene.node.name, "--user", user]
        let features = "NIX_CONFIG=experimental-features = nix-command flakes"
        let program = ["env", features, "/home/prefix/bin/deploy", "--skip-checks", "path:/\(home)/flake"]
        return there + program + words
    }

    @Test func thisMachineNeedsNoSSHServer() async throws {
        try await Scene.with { scene in
            try await scene.node.shell("lab-service sshd stop")
            let app = Fixture.Profile(name: "hello", user: "app", activation: "id -un >$HOME/who")
            let one = try await deployThere(
                scene, [.init(activation: Script.mark("one")), app], version: "1", ["--local"])
            expect(
                one, is: .done, says: "profile \"system\": deployed and confirmed on generation 1",
                "profile \"hello\": deployed and confirmed on generation 1")
            #expect(try await scene.node.shell("cat /home/app/who") == "app")
            let two = try await deployThere(
                scene, [.init(activation: Script.mark("two") + "; exit 1")], version: "2", ["--local"])
            expect(two, is: .rolledBack, says: "rolled back, now on generation 1")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    @Test func anotherUsersProfileIsReachedAsOverSSH() async throws {
        try await Scene.with { scene in
            let profiles = [Fixture.Profile(activation: "id -un >/root/who")]
            let result = try await deployThere(scene, profiles, version: "1", ["--local"], as: "deploy")
            expect(result, is: .done, says: "deployed and confirmed")
            #expect(try await scene.node.shell("cat /root/who") == "root")
            let refused = try await deployThere(scene, profiles, version: "2", ["--local"], as: "app")
            expect(refused, is: .failed, says: "`sudo -u root` needs a password on the node")
        }
    }

    /// A host that is called so gets there without SSH only where no server listens.
    @Test func localhostIsThisMachineWhereNoServerListens() async throws {
        try await Scene.with { scene in
            let profiles = [Fixture.Profile(activation: "echo \"ssh ${SSH_CONNECTION:-none}\"")]
            let local = "hostname = \"localhost\";"
            try await scene.node.shell("lab-service sshd stop")
            let result = try await deployThere(scene, profiles, version: "1", node: local, ["-d"])
            expect(
                result, is: .done, says: "this machine, which has no SSH server", "ssh none", "deployed and confirmed")
        }
    }

    /// Over SSH once, over SSH always: a system that stops its server must not be confirmed past it.
    @Test func localhostThatStopsItsServerIsNotConfirmedWithoutSSH() async throws {
        try await Scene.with { scene in
            try await scene.node.shell(
                """
                mkdir -p /root/.ssh; [ -e /root/.ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
                cat /root/.ssh/id_ed25519.pub >>/root/.ssh/authorized_keys
                printf 'localhost %s\\n' "$(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)" >>/root/.ssh/known_hosts
                """)
            let local = "hostname = \"localhost\";"
            let stop = [Fixture.Profile(activation: "lab-service sshd stop")]
            let words = ["--confirm-timeout", "3"]
            let result = try await deployThere(scene, stop, version: "1", node: local, words)
            expect(result, is: .rolledBack, says: "not confirmed within 3 s")
        }
    }

    @Test func aDeployThatIsKilledLeavesTheNodeToItself() async throws {
        try await Scene.with { scene in
            let first = [Fixture.Profile(activation: Script.mark("one"))]
            expect(try await deployThere(scene, first, version: "1", ["--local"]), is: .done)
            let second = [Fixture.Profile(activation: "\(Script.mark("two")); \(Script.hold)")]
            let words = try await place(scene, second, "2", "", ["--local", "--confirm-timeout", "1"], "root")
            let run = try LocalProcess.start(scene.lab.command(words))
            try await scene.node.waits(for: Script.isHeld)
            try await scene.node.shell("pkill -KILL -x deploy")
            _ = await run.exit()
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.has("rolledBack"))
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }
}
