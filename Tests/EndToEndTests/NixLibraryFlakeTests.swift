import Foundation
import Shared
import Testing

extension NixLibrary {
    struct FlakeTests {
        let store: NixLibraryStore

        init() throws { store = try NixLibraryStore.shared.get() }

        /// A flake as users of deploy-rs write it, in a folder of its own.
        private func flake(_ name: String, tree: String = "tree", deploy: String) throws -> String {
            try store.write("\(name)/base/x", "x")
            try store.write(
                "\(name)/flake.nix",
                """
                {
                  inputs.nixpkgs.url = "path:\(store.folder)/bare";
                  inputs.deploy-rs.url = "path:\(store.folder)/\(tree)";
                  inputs.deploy-rs.inputs.nixpkgs.follows = "nixpkgs";
                  inputs.deploy-rs.inputs.utils.follows = "nixpkgs";
                  outputs = { self, nixpkgs, deploy-rs }: let lib = deploy-rs.lib.x86_64-linux; in {
                    deploy = \(deploy);
                    checks = builtins.mapAttrs (system: deployLib: deployLib.deployChecks self.deploy) deploy-rs.lib;
                  };
                }
                """)
            return "path:\(store.folder)/\(name)"
        }

        private func node(_ profile: String) -> String {
            #"{ sshUser = "root"; nodes."web.1" = { hostname = "h"; profiles.system = \#(profile); }; }"#
        }

        @Test(arguments: ["tree", "bare"])
        func aCorrectFlakePassesItsChecks(tree: String) async throws {
            let deploy = node(#"{ user = "root"; path = lib.activate.custom ./base "true"; }"#)
            let words = ["nix", "flake", "check", try flake("right-\(tree)", tree: tree, deploy: deploy)]
            let result = try await store.run(words)
            #expect(result.exit.isSuccess, "\(result.errorText)")
            let notice = "there is no agent binary for x86_64-linux: closures get no activate-rs"
            #expect(result.errorText.contains(notice) == (tree == "bare"))
        }

        @Test(arguments: ["tree", "bare"])
        func aWrongTypeFailsTheCheckWithItsPath(tree: String) async throws {
            let deploy = node("{ user = 7; path = lib.activate.custom ./base; }")
            let words = ["nix", "flake", "check", "-L", try flake("typed-\(tree)", tree: tree, deploy: deploy)]
            let result = try await store.run(words)
            #expect(!result.exit.isSuccess)
            let profile = #"deploy.nodes."web.1".profiles.system"#
            #expect(result.errorText.contains("\(profile).user: expected a string, found a number"))
            #expect(result.errorText.contains("\(profile).path: expected a string, found a function"))
        }

        @Test(arguments: ["tree", "bare"])
        func aProfileThatWasNotWrappedFailsTheCheck(tree: String) async throws {
            let words = ["nix", "flake", "check", "-L"]
            let flake = try flake("plain-\(tree)", tree: tree, deploy: node("{ path = ./base; }"))
            let result = try await store.run(words + [flake])
            #expect(!result.exit.isSuccess)
            #expect(result.errorText.contains("web.1") && result.errorText.contains("lib.<system>.activate.custom"))
        }

        @Test func theSchemaIsCheckedBeforeAnythingIsBuilt() async throws {
            let broken = #"derivation { name = "b"; system = "x86_64-linux"; builder = "/no"; }"#
            let flake = try flake("unbuilt", deploy: node("{ path = lib.activate.noop (\(broken)); }"))
            _ = try await store.output(["nix", "build", "--no-link", "\(flake)#checks.x86_64-linux.deploy-schema"])
        }

        @Test func theOutputsHaveDeployRsNames() async throws {
            let flake = "path:\(store.folder)/tree"
            _ = try await store.output(["nix", "flake", "check", flake])
            let list = "builtins.concatStringsSep \" \" (builtins.attrNames "
            let names = try await store.output(["nix", "eval", "--raw", "\(flake)#lib", "--apply", "l: \(list)l)"])
            #expect(names == "aarch64-darwin aarch64-linux i686-linux x86_64-darwin x86_64-linux")
            let kinds = "l: \(list)l) + \" \" + \(list)l.activate)"
            let library = try await store.output([
                "nix", "eval", "--raw", "\(flake)#lib.x86_64-linux", "--apply", kinds,
            ])
            #expect(library == "activate deployChecks setActivate custom darwin home-manager nixos noop")
            #expect(try await store.output(["nix", "run", flake]) == "the deploy of this test")
        }

        @Test func thePackageHoldsDeployWithItsAgents() async throws {
            let flake = "path:\(store.folder)/tree"
            let path = try await store.output(["nix", "eval", "--raw", "\(flake)#packages.x86_64-linux.deploy-rs"])
            _ = try await store.output(["nix", "build", "--no-link", flake])
            let files = try await store.output(["find", path, "-type", "f", "-perm", "555", "-printf", "%P\\n"])
            let expected: Set<Substring> = ["bin/deploy", "libexec/deploy-swift/x86_64-linux/activate"]
            #expect(Set(files.split(separator: "\n")) == expected)
        }

        @Test func withoutABuiltDeployThePackageSaysHowToGetOne() async throws {
            let result = try await store.run(["nix", "build", "--no-link", "path:\(store.folder)/bare"])
            #expect(!result.exit.isSuccess)
            #expect(result.errorText.contains("make install"))
        }

        @Test(arguments: ["overlay", "overlays.default"])
        func anOverlayGivesThePackageAndTheLibrary(name: String) async throws {
            let expression = """
                let
                  flake = builtins.getFlake "path:\(store.folder)/tree";
                  final = { system = "x86_64-linux"; runtimeShell = "/overlay/bash"; } // flake.\(name) final { };
                in [ final.deploy-rs.deploy-rs.name (final.deploy-rs.lib.activate.noop ./bare).script ]
                """
            let words = ["nix-instantiate", "--eval", "--strict", "--json", "--expr", expression]
            let json = try await store.output(words)
            #expect(json.hasPrefix(##"["deploy-swift","#!/overlay/bash\n"##))
        }

        @Test(.enabled(if: currentEnvironment()["DEPLOY_PREFIX"] != nil, "nothing is installed: `make test` does that"))
        func theInstalledFlakeHasAnAgentAndADeploy() async throws {
            let flake = "path:\(currentEnvironment()["DEPLOY_PREFIX"] ?? "")/share/deploy-swift"
            let builder = #"lib: (lib.x86_64-linux.activate.noop (builtins.toFile "x" "")).builder"#
            let agent = try await store.output(["nix", "eval", "--raw", "\(flake)#lib", "--apply", builder])
            #expect(agent.hasSuffix("activate"))
            _ = try await store.output(["nix", "build", "--no-link", "\(flake)#deploy-rs"])
        }

        @Test func theAgentIsTheStorePathThatDeployShips() async throws {
            let agent = try await store.value(
                #"builtins.storePath (dirOf (dirOf (import ./tree/lib/agent.nix "x86_64-linux")))"#)
            try store.write("shipped/deploy-swift-agent/bin/x", "")
            try FileManager.default.removeItem(atPath: "\(store.folder)/shipped/deploy-swift-agent/bin/x")
            try FileManager.default.copyItem(
                atPath: "\(store.folder)/tree/agents/x86_64-linux/bin/activate",
                toPath: "\(store.folder)/shipped/deploy-swift-agent/bin/activate")
            let shipped = try await store.output(["nix-store", "--add", "shipped/deploy-swift-agent"])
            #expect(agent == "\"\(shipped)\"")
        }
    }
}
