import Shared
import Testing

/// After a rollback `deploy` looks again: is the node reachable, and is everything as it was recorded?
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct VerifiedRollbackTests {
    @Test("R28: a rollback is said to be verified once it was seen over a new login")
    func aRollbackIsVerifiedOverANewLogin() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let before = try await scene.node.logins().count
            let result = try await scene.deploy("two", then: "exit 1")
            expect(
                result, is: .rolledBack, says: "profile \"system\": rolled back, verified over a new connection")
            expect(result.errorText, hasRow: "web1 system 1 rolled back, verified")
            #expect(try await scene.node.logins().count == before + 2, "one to deploy, one to look again")
        }
    }

    /// The old generation does not bring the SSH server back: the node's word is all there is, and that is said.
    @Test("R29: a rollback that leaves the node unreachable is not verified")
    func anUnreachableNodeIsNotVerified() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let result = try await scene.deploy(
                "two", then: "lab-service sshd stop", ["--confirm-timeout", "2"])
            let flake = shellQuoted(scene.fixture.flake)
            expect(
                result, is: .rolledBack, says: "rolled back, now on generation 1", "rolled back, not verified: web1",
                "once the node answers again: deploy status \(flake)")
            expect(result.errorText, hasRow: "web1 system 1 rolled back, not verified")
            #expect(!result.errorText.contains("verified over"))
            try await scene.lab.tool("sshd-start", "web1")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    /// NixOS in what matters here: the running system is what `/run/current-system` leads to.
    private static let running = "/run/current-system"

    private func write(_ scene: Scene, _ version: String, _ activation: String) throws {
        let base = """
            (derivation {
              inherit system; name = "nixos-system-\(version)"; builder = "/bin/sh";
              args = [ "-c" "/bin/mkdir $out && echo \(version) >$out/nixos-version" ];
            })
            """
        let text = "\(Script.mark(version)); \(activation)"
        try scene.fixture.write([.init(path: "activate.custom \(base) \(nixString(text))")], version: version)
    }

    private static let switchTo =
        "ln -sfn \"$(dirname \"$(readlink -f \"$PROFILE/nixos-version\")\")\" \(VerifiedRollbackTests.running)"

    @Test("R29: the running system counts too", arguments: [true, false])
    func theRunningSystemCounts(comesBack: Bool) async throws {
        try await Scene.with { scene in
            let once = "[ -e /root/once ] || { touch /root/once; \(Self.switchTo); }"
            try write(scene, "one", comesBack ? Self.switchTo : once)
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            let old = try await scene.node.shell("readlink -f \(Self.running)")
            #expect(old.hasSuffix("-nixos-system-one"))
            try write(scene, "two", "\(Self.switchTo); exit 1")
            let result = try await scene.lab.deploy([scene.fixture.flake])
            if comesBack {
                expect(result, is: .rolledBack, says: "rolled back, verified")
            } else {
                let new = try await scene.node.shell("readlink -f \(Self.running)")
                #expect(new.hasSuffix("-nixos-system-two"))
                expect(
                    result, is: .stuck, says: "rolled back, not verified: the running system is \(new), not \(old)")
                expect(result.errorText, hasRow: "web1 system 1 rolled back, not verified")
            }
            #expect(try await scene.node.generation() == 1)
        }
    }
}
