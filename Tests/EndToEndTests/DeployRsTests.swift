import Shared
import Testing

/// deploy-rs's own deployer at one of our closures: the command lines of its src/deploy.rs, sent with ssh as it does.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(3)))
struct DeployRsTests {
    private static let profile = "--profile-user root --profile-name system"

    /// Builds and copies a version, as deploy-rs would; its closure.
    private func closure(_ scene: Scene, _ version: String, then: String = "true") async throws -> String {
        try scene.write(version, then: then)
        let attribute = "\(scene.fixture.flake)#deploy.nodes.web1.profiles.system.path"
        let built = try await scene.lab.run(["nix", "build", "--no-link", attribute])
        try #require(built.exit.isSuccess, "\(built.errorText)")
        let path = trimmed(try await scene.lab.run(["nix", "eval", "--raw", attribute]).text)
        let copied = try await scene.lab.run(["nix", "copy", "-s", "--to", "ssh://root@web1", path, "--no-check-sigs"])
        try #require(copied.exit.isSuccess, "\(copied.errorText)")
        return path
    }

    private func ssh(_ scene: Scene, _ text: String) async throws -> LocalResult {
        try await scene.lab.run(["ssh", "root@web1", text])
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
                async let activated = ssh(scene, activation(closure, "30 --magic-rollback --auto-rollback"))
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
