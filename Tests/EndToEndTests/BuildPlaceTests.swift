import Foundation
import Shared
import Testing

/// Where a closure is built: `buildOn`.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct BuildPlaceTests {
    private func isHere(_ lab: Lab, _ path: String) async throws -> Bool {
        try await lab.run(["test", "-e", path]).exit.isSuccess
    }

    private func isThere(_ node: Node, _ path: String) async throws -> Bool {
        try await node.shell("[ -e \(path) ] && echo yes || true") == "yes"
    }

    /// What it needs is had here, what it makes is not.
    @Test func aThirdMachineBuildsAndSends() async throws {
        try await Scene.with { scene in
            try await scene.lab.tool("up", "builder")
            let builder = Node(lab: scene.lab, name: "builder")
            try scene.fixture.write([.init(activation: "hostname")], node: #"buildOn = "root@builder";"#)
            let result = try await scene.lab.deploy([scene.fixture.flake, "--timings"])
            expect(
                result, is: .done, says: "building on root@builder", "copying from root@builder",
                "deployed and confirmed on generation 1", "BUILD THERE")
            expect(result, saysNot: "building 1 profile")
            let path = try await scene.node.profile()
            #expect(try await isThere(builder, path))
            #expect(try await !isHere(scene.lab, path))
            // Told on the command line, the node builds it itself.
            try scene.fixture.write([.init()], version: "2", node: #"buildOn = "root@builder";"#)
            expect(try await scene.lab.deploy([scene.fixture.flake, "--remote-build"]), is: .done)
            #expect(try await !isThere(builder, scene.node.profile()))
        }
    }

    @Test func aBuildThatFailsThereIsNamedBeforeAnythingChanges() async throws {
        try await Scene.with { scene in
            try await scene.lab.tool("up", "builder")
            let bad =
                "(derivation { inherit system; name = \"bad\"; builder = \"/bin/sh\"; args = [ \"-c\" \"exit 9\" ]; })"
            try scene.fixture.write([.init(path: "activate.noop \(bad)")], node: #"buildOn = "root@builder";"#)
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(result, is: .failed, says: "remote build failed", "web1.system")
            try await scene.lab.tool("kill", "builder")
            let gone = try await scene.lab.deploy([scene.fixture.flake])
            #expect(gone.exit != .code(0))
            #expect(gone.errorText.contains("builder"), "\(gone.errorText)")
            #expect(try await scene.state() == .init(current: nil, generations: [], marks: []))
        }
    }

    /// The secret key stays here: Nix signs what the other machine's store holds, which takes a nix-daemon there.
    @Test func whatIsBuiltThereIsSignedThere() async throws {
        try await Scene.with { scene in
            try await scene.lab.tool("up", "builder")
            let builder = Node(lab: scene.lab, name: "builder")
            let key = "\(scene.lab.folder)/key"
            let made = ["nix-store", "--generate-binary-cache-key", "me-1", key, "\(key).pub"]
            try #require(try await scene.lab.run(made).exit.isSuccess)
            let known = trimmed(try String(contentsOfFile: "\(key).pub", encoding: .utf8))
            try await scene.node.shell(
                "echo 'extra-trusted-public-keys = \(known)' >>/etc/nix/nix.conf; lab-service nix-daemon restart")
            try scene.fixture.write([.init()], node: #"buildOn = "root@builder";"#)
            let words = ["--checksigs", scene.fixture.flake]
            expect(try await scene.lab.deploy(words, environment: ["LOCAL_KEY": key]), is: .done)
            #expect(try await builder.shell("find / -xdev -name key -newer /nix/store 2>/dev/null || true") == "")

            try await builder.shell("lab-service nix-daemon stop; rm /usr/bin/nix-daemon")
            try scene.fixture.write([.init()], version: "2", node: #"buildOn = "root@builder";"#)
            let refused = try await scene.lab.deploy(words, environment: ["LOCAL_KEY": key])
            expect(
                refused, is: .failed, says: "LOCAL_KEY cannot sign on root@builder", "no nix-daemon",
                "nothing was activated")
            #expect(try await builder.shell("ls -d /nix/store/*-activatable-system-2 2>/dev/null || true") == "")
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done, says: "copying from root@builder")
        }
    }

    @Test(arguments: [("target", false), ("local", true)])
    func theNodeOrThisMachineBuilds(place: String, isHere: Bool) async throws {
        try await Scene.with { scene in
            try scene.fixture.write([.init()], node: "buildOn = \(nixString(place));", top: "remoteBuild = true;")
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            #expect(try await self.isHere(scene.lab, scene.node.profile()) == isHere)
        }
    }
}
