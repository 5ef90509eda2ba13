import Shared
import Testing

/// Profiles and closures that others made.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct ForeignTests {
    private static let profile = "/nix/var/nix/profiles/system"

    /// Makes a store path of a folder with these executable scripts, by hand, and points the profile to it.
    private func set(_ node: Node, name: String, files: [String: String]) async throws {
        var words = "mkdir -p /root/\(name)/bin\n"
        for (file, text) in files.sorted(by: { $0.key < $1.key }) {
            words +=
                "printf '#!/bin/sh\\n%s\\n' \(shellQuoted(text)) >/root/\(name)/\(file); chmod +x /root/\(name)/\(file)\n"
        }
        try await node.shell(words + "nix-env -p \(Self.profile) --set $(nix-store --add /root/\(name))")
    }

    @Test func aProfileThatCannotBeActivatedAgainGetsItsLinkBackAndThatIsTold() async throws {
        try await Scene.with { scene in
            try await set(scene.node, name: "plain", files: ["bin/tool": "true"])
            let result = try await scene.deploy("one", then: "exit 1")
            expect(
                result, is: .rolledBack, says: "rolled back, now on generation 1",
                "nothing could be activated again")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one"]))
            #expect(try await scene.node.profile().hasSuffix("-plain"))
        }
    }

    @Test("R17: a bare NixOS system is switched to again")
    func aBareSystemIsSwitchedToAgain() async throws {
        try await Scene.with { scene in
            let text = #"echo "switched $1 in $PWD for $PROFILE" >>/root/marks"#
            try await set(scene.node, name: "nixos", files: ["bin/switch-to-configuration": text])
            expect(try await scene.deploy("one", then: "exit 1"), is: .rolledBack, says: "now on generation 1")
            let state = try await scene.state()
            #expect(state.current == 1)
            #expect(state.marks.first == "one")
            #expect(state.marks.last?.hasPrefix("switched switch in ") == true)
            #expect(state.marks.last?.hasSuffix(" for \(Self.profile)") == true)
        }
    }

    @Test("R17: a generation of Home Manager is activated again")
    func aHomeManagerGenerationIsActivatedAgain() async throws {
        try await Scene.with { scene in
            try await set(scene.node, name: "home", files: ["activate": "echo home >>/root/marks"])
            expect(try await scene.deploy("one", then: "exit 1"), is: .rolledBack, says: "now on generation 1")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "home"]))
        }
    }

    /// A link that a hand made, straight to the store.
    @Test func aLinkWithoutANumberIsPutBackWordForWord() async throws {
        try await Scene.with { scene in
            try await scene.node.shell(
                "mkdir /root/bare; ln -s $(nix-store --add /root/bare) \(Self.profile); readlink \(Self.profile) >/root/was"
            )
            expect(try await scene.deploy("one", then: "exit 1"), is: .rolledBack)
            let now = try await scene.node.shell("readlink \(Self.profile)")
            #expect(try await scene.node.shell("cat /root/was") == now)
        }
    }

    /// The shape of deploy-rs's library: two bash scripts, made without ours.
    @Test("R22: a closure of deploy-rs's shape is deployed unchanged, without its own agent")
    func aClosureOfDeployRsShapeIsDeployedUnchanged() async throws {
        try await Scene.with { scene in
            let script =
                "#!/usr/bin/env bash\\nset -euo pipefail\\nif [[ \\\"\\${DRY_ACTIVATE:-}\\\" == 1 ]]; then :; else\\n"
                + "echo shaped >>/root/marks; fi\\n"
            let path = """
                derivation {
                  inherit system; name = "activatable-shaped"; builder = "/bin/sh";
                  script = "\(script)";
                  agent = "#!/usr/bin/env bash\\nexec false\\n";
                  args = [ "-c" ''/bin/mkdir $out; printf %s "$script" >$out/deploy-rs-activate
                    printf %s "$agent" >$out/activate-rs; /bin/chmod +x $out/*'' ];
                }
                """
            try scene.fixture.write([.init(path: path)])
            for mark in 1...2 {
                let result = try await scene.lab.deploy(["--force", scene.fixture.flake])
                expect(result, is: .done, says: "deployed and confirmed on generation 1")
                #expect(try await scene.node.marks().count == mark)
            }
            #expect(try await scene.node.profile().hasSuffix("-activatable-shaped"))
            expect(try await scene.deploy("two", then: "exit 1"), is: .rolledBack)
            #expect(try await scene.state().marks == ["shaped", "shaped", "two", "shaped"])
        }
    }

    @Test func aClosureWithoutAScriptIsRefusedBeforeAnythingChanges() async throws {
        try await Scene.with { scene in
            try scene.fixture.write([.init(path: "base \"plain\"")])
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(result, is: .failed, says: "deploy-rs-activate")
            #expect(try await scene.state() == .init(current: nil, generations: [], marks: []))
        }
    }
}
