import Foundation
import Shared
import Testing

/// Nix as people have it: without flakes, without a daemon, and with users whom it does not trust.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct NixShapeTests {
    /// Deploys with every experimental feature off; what is wrapped comes out of the library, imported by its path.
    @Test(arguments: ["file", "folder"])
    func aNixWithoutFlakesIsEnough(shape: String) async throws {
        try await Scene.with { scene in
            let text = """
                let
                  lib = import \(Lab.prefix ?? "")/share/deploy-swift/lib { system = "x86_64-linux"; };
                  base = derivation {
                    name = "plain"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "/bin/mkdir $out" ];
                  };
                  deploy = { nodes.web1 = {
                    hostname = "web1"; sshUser = "root";
                    profiles.system = { user = "root"; path = lib.activate.custom base \(nixString(Script.mark("one"))); };
                  }; };
                in { inherit deploy; checks.x86_64-linux = lib.deployChecks deploy; }
                """
            let folder = scene.fixture.folder
            try text.write(toFile: "\(folder)/default.nix", atomically: true, encoding: .utf8)
            let target = shape == "file" ? ["-f", "\(folder)/default.nix", "web1.system"] : ["\(folder)#web1"]
            let settings = "\(scene.lab.folder)/deployer/conf/nix.conf"
            let lines = try String(contentsOfFile: settings, encoding: .utf8).split(separator: "\n")
            let plain = lines.filter { !$0.hasPrefix("experimental-features") }.joined(separator: "\n") + "\n"
            try plain.write(toFile: settings, atomically: true, encoding: .utf8)
            let result = try await scene.lab.run(["\(Lab.prefix ?? "")/bin/deploy"] + target)
            expect(result, is: .done, says: "running the checks of", "deployed and confirmed on generation 1")
            #expect(try await scene.state().marks == ["one"])
        }
    }

    @Test func aNodeWithoutADaemonIsItsOwnersAlone() async throws {
        try await Scene.with { scene in
            try await scene.node.shell("lab-service nix-daemon stop; rm -f /nix/var/nix/daemon-socket/socket")
            try await scene.deployed("one")
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one"]))
            // Its store is an unprivileged user's, as after a single-user installation.
            try await scene.node.shell("chown -R app: /nix")
            let app = Fixture.Profile(name: "hello", user: "app", activation: "id -un >$HOME/who")
            try scene.fixture.write([app], node: #"sshUser = "app";"#)
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(result, is: .done, says: "deployed and confirmed on generation 1")
            #expect(!result.errorText.contains("trusted-users"))
            #expect(try await scene.node.shell("cat /home/app/who") == "app")
        }
    }

    /// As installed by Nix's own installer, where a login that is not interactive reads no file that tells of it.
    @Test(arguments: ["/nix/var/nix/profiles/default/bin", "/root/.nix-profile/bin"])
    func aNixOutsideOfPathIsFound(folder: String) async throws {
        try await Scene.with { scene in
            try await scene.node.shell("mkdir -p \(folder); cp -P /usr/bin/nix* \(folder); rm /usr/bin/nix*")
            let path = try await scene.lab.run(["ssh", "web1", "command -v nix nix-env nix-daemon || echo none"])
            #expect(trimmed(path.text) == "none")
            expect(try await scene.deploy("one"), is: .done)
            expect(try await scene.deploy("two"), is: .done, says: "deployed and confirmed on generation 2")
            #expect(try await scene.state().marks == ["one", "two"])
        }
    }

    /// Where deploy-rs, and Nix before 2.14, have kept a user's profiles: there they stay.
    @Test(arguments: [[], ["--agent", "closure"]])
    func aUsersOldFolderOfProfilesIsTheOne(words: [String]) async throws {
        try await Scene.with { scene in
            let folder = "/nix/var/nix/profiles/per-user/app"
            try await scene.node.shell("mkdir -p \(folder); chown app: \(folder)")
            try scene.fixture.write([.init(name: "hello", user: "app", activation: "echo $PROFILE >$HOME/where")])
            let result = try await scene.lab.deploy([scene.fixture.flake] + words)
            expect(result, is: .done, says: "deployed and confirmed on generation 1")
            #expect(try await scene.node.shell("cat /home/app/where") == "\(folder)/hello")
            #expect(try await scene.node.profile("\(folder)/hello").hasSuffix("-activatable-hello-1"))
            // Newer versions of nix-env make the other folder by themselves.
            #expect(try await scene.node.shell("ls \(Node.appProfile("hello"))* 2>/dev/null || true") == "")
            let status = try await scene.lab.run(
                ["\(Lab.prefix ?? "")/bin/deploy", "status", "--json", scene.fixture.flake] + words)
            expect(status, is: .done, says: "\"profile\":\"\(folder)/hello\"")
        }
    }

    @Test func whomNixDoesNotTrustIsToldBeforeAnythingIsCopiedAndLocalKeyIsTheWay() async throws {
        try await Scene.with { scene in
            try scene.fixture.write([.init()], node: #"sshUser = "deploy";"#)
            let refused = try await scene.lab.deploy([scene.fixture.flake])
            expect(
                refused, is: .failed, says: "web1: warn: user \"deploy\" is not among its Nix's trusted-users",
                "LOCAL_KEY=<secret key file>", "trusted-users = root deploy")
            let text = refused.errorText
            let (warned, copied) = (text.range(of: "trusted-users"), text.range(of: "copying 1 closure"))
            #expect(try #require(warned).lowerBound < (try #require(copied)).lowerBound)

            let key = "\(scene.lab.folder)/key"
            let words = ["nix-store", "--generate-binary-cache-key", "me-1", key, "\(key).pub"]
            #expect(try await scene.lab.run(words).exit.isSuccess)
            let signed = try await scene.lab.deploy([scene.fixture.flake], environment: ["LOCAL_KEY": key])
            expect(signed, is: .failed, says: "that of LOCAL_KEY is not", "extra-trusted-public-keys = me-1:")
            let known = trimmed(try String(contentsOfFile: "\(key).pub", encoding: .utf8))
            try await scene.node.shell(
                "echo 'extra-trusted-public-keys = \(known)' >>/etc/nix/nix.conf; lab-service nix-daemon restart")
            let result = try await scene.lab.deploy([scene.fixture.flake], environment: ["LOCAL_KEY": key])
            expect(result, is: .done, says: "deployed and confirmed on generation 1")
            expect(result, saysNot: "trusted-users")
            // What is there already needs no signature.
            let again = try await scene.lab.deploy([scene.fixture.flake, "--force"])
            expect(again, is: .done, says: "deployed and confirmed on generation 1")
            expect(again, saysNot: "trusted-users")
        }
    }
}
