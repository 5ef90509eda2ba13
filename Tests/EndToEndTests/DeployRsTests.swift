import Shared
import Testing

/// deploy-rs's own deployer at one of our closures: the command lines of its src/deploy.rs, sent with ssh as it does.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct DeployRsTests {
    private static let profile = "--profile-user root --profile-name system"

    /// Builds and copies a version, as deploy-rs would; its closure.
    private func closure(_ scene: Scene, _ version: String, then: String = "true") async throws -> String {
        try scene.write(version, then: then)
        return try await closure(scene, profile: "system")
    }

    private func closure(_ scene: Scene, profile: String) async throws -> String {
        let attribute = "\(scene.fixture.flake)#deploy.nodes.web1.profiles.\(profile).path"
        let built = try await scene.lab.run(["nix", "build", "--no-link", attribute])
        try #require(built.exit.isSuccess, "\(built.errorText)")
        let path = trimmed(try await scene.lab.run(["nix", "eval", "--raw", attribute]).text)
        // It looks for both before it copies.
        for name in ["deploy-rs-activate", "activate-rs"] {
            let there = try await scene.lab.run(["test", "-x", "\(path)/\(name)"])
            try #require(there.exit.isSuccess, "\(path) has no \(name)")
        }
        let copied = try await scene.lab.run(["nix", "copy", "-s", "--to", "ssh://root@web1", path, "--no-check-sigs"])
        try #require(copied.exit.isSuccess, "\(copied.errorText)")
        return path
    }

    private func ssh(
        _ scene: Scene, _ text: String, as user: String = "root", input: String = ""
    ) async throws -> LocalResult {
        try await scene.lab.run(["ssh", "\(user)@web1", text], input: input)
    }

    private func activation(_ closure: String, _ options: String) -> String {
        "\(closure)/activate-rs activate '\(closure)' \(Self.profile) --temp-path '/tmp' --confirm-timeout \(options)"
    }

    private func canary(_ closure: String) -> String {
        "/tmp/deploy-rs-canary-\(closure.dropFirst("/nix/store/".count).prefix { $0 != "-" })"
    }

    @Test func anActivationIsWaitedForConfirmedByRemovalAndRevoked() async throws {
        try await Scene.with { scene in
            for (index, version) in ["one", "two"].enumerated() {
                let closure = try await closure(scene, version)
                async let activated = ssh(scene, activation(closure, "120 --magic-rollback --auto-rollback"))
                let waited = try await ssh(scene, "\(closure)/activate-rs wait '\(closure)' --temp-path '/tmp'")
                expect(waited, is: .done)
                expect(try await ssh(scene, "rm \(canary(closure))"), is: .done)
                expect(try await activated, is: .done)
                #expect(try await scene.node.profile() == closure)
                #expect(try await scene.node.generation() == index + 1)
                expect(try await scene.status(), is: .done, says: "; committed, by deploy-rs")
            }
            let closure = try await scene.node.profile()
            expect(try await ssh(scene, "\(closure)/activate-rs revoke \(Self.profile)"), is: .done)
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    @Test func withoutTheRemovalItIsRolledBack() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let closure = try await closure(scene, "two")
            let result = try await ssh(scene, activation(closure, "1 --magic-rollback --auto-rollback"))
            #expect(result.exit == .code(1), "\(result.errorText)")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
            #expect(try await scene.node.shell("ls /tmp").contains("canary") == false)
        }
    }

    @Test func aFailedActivationIsRolledBack() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let closure = try await closure(scene, "two", then: "exit 3")
            let result = try await ssh(scene, activation(closure, "30 --magic-rollback --auto-rollback"))
            #expect(result.exit == .code(1), "\(result.errorText)")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    @Test func dryRunAndBootNeedNoConfirmation() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let closure = try await closure(scene, "two")
            let dry = activation(closure, "30 --magic-rollback --auto-rollback --dry-activate")
            expect(try await ssh(scene, dry), is: .done)
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one"]))
            let boot = activation(closure, "30 --magic-rollback --auto-rollback --boot")
            expect(try await ssh(scene, boot), is: .done)
            #expect(try await scene.state().current == 2)
        }
    }

    /// With `interactiveSudo` it puts `-S -p ""` into `sudo`, and a line with the password on each standard input.
    @Test(arguments: ["deploy", "admin"])
    func anotherUsersProfileIsReachedWithSudoInFront(sshUser: String) async throws {
        try await Scene.with { scene in
            let mark = Script.mark("one", user: "app")
            try scene.fixture.write([.init(name: "hello", user: "app", activation: mark)])
            let closure = try await closure(scene, profile: "hello")
            let sudo = sshUser == "admin" ? "sudo -S -p \"\" -u app" : "sudo -u app"
            let input = sshUser == "admin" ? "correct horse\n" : ""
            let log = "--debug-logs --log-dir /tmp/log"
            let hello = "--profile-user app --profile-name hello --temp-path '/tmp'"
            async let activated = ssh(
                scene,
                "\(sudo) \(closure)/activate-rs \(log) activate '\(closure)' \(hello) --confirm-timeout 30 "
                    + "--magic-rollback --auto-rollback", as: sshUser, input: input)
            let wait = "wait '\(closure)' --temp-path '/tmp' --activation-timeout 60"
            let waiting = "\(sudo) \(closure)/activate-rs \(log) \(wait)"
            expect(try await ssh(scene, waiting, as: sshUser, input: input), is: .done)
            expect(try await ssh(scene, "\(sudo) rm \(canary(closure))", as: sshUser, input: input), is: .done)
            expect(try await activated, is: .done, says: "[activate] [INFO] Activation succeeded!")
            #expect(try await scene.node.profile(Node.appProfile("hello")) == closure)
            #expect(try await scene.node.marks(of: "app") == ["one"])
            let files = try await scene.node.shell("stat -c '%U %n' /tmp/log/*").split(separator: "\n")
            #expect(files.count == 2 && files.allSatisfy { $0.hasPrefix("app /tmp/log/activate_") }, "\(files)")
        }
    }

    @Test func aProfilePathIsTakenAsItIs() async throws {
        try await Scene.with { scene in
            let link = "/nix/var/nix/profiles/per-user/root/other"
            let options = "--temp-path '/tmp' --confirm-timeout 30 --auto-rollback"
            for version in ["one", "two"] {
                let closure = try await closure(scene, version)
                let command = "\(closure)/activate-rs activate '\(closure)' --profile-path '\(link)' \(options)"
                expect(try await ssh(scene, command), is: .done)
            }
            let closure = try await closure(scene, "two")
            expect(try await ssh(scene, "\(closure)/activate-rs revoke --profile-path '\(link)'"), is: .done)
            #expect(try await scene.node.shell("readlink \(link)") == "other-1-link")
            #expect(try await scene.node.marks() == ["one", "two", "one"])
        }
    }

    /// Its deployer gives up at once then: waiting on would only hold it.
    @Test func waitingInVainEndsWithOneAndAWrongCommandLineWithTwo() async throws {
        try await Scene.with { scene in
            let closure = try await closure(scene, "one")
            let wait = "\(closure)/activate-rs wait '\(closure)' --temp-path '/tmp' --activation-timeout 1"
            #expect(try await ssh(scene, wait).exit == .code(1))
            let neither = "\(closure)/activate-rs activate '\(closure)' --temp-path '/tmp' --confirm-timeout 30"
            #expect(try await ssh(scene, neither).exit == .code(2))
            let both = "\(closure)/activate-rs revoke \(Self.profile) --profile-path '/p'"
            #expect(try await ssh(scene, both).exit == .code(2))
            #expect(try await ssh(scene, "\(closure)/activate-rs revoke \(Self.profile)").exit == .code(1))
            #expect(try await scene.state() == .init(current: nil, generations: [], marks: []))
        }
    }

    /// Ours after theirs, and theirs after ours, on one profile.
    @Test func bothDeployersTakeTurns() async throws {
        try await Scene.with { scene in
            let first = try await closure(scene, "one")
            expect(try await ssh(scene, activation(first, "30 --auto-rollback")), is: .done)
            try await scene.deployed("two")
            let third = try await closure(scene, "three", then: "exit 1")
            #expect(try await ssh(scene, activation(third, "30 --auto-rollback")).exit == .code(1))
            let marks = ["one", "two", "three", "two"]
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2, 3], marks: marks))
        }
    }
}
