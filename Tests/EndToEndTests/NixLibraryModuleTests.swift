import Foundation
import Shared
import Testing

extension NixLibrary {
    /// `nixosModules.default`, applied as NixOS would, with no nixpkgs around.
    struct ModuleTests {
        let store: NixLibraryStore

        init() throws { store = try NixLibraryStore.shared.get() }

        /// An attribute of what the module sets.
        private func setting(_ tree: String, _ system: String, _ attribute: String) -> String {
            """
            let
              module = (import ./\(tree)/flake.nix).outputs { self = null; };
              given = {
                config.services.deploy-swift.users = [ "me" "ci" ]; options = { };
                lib = { mkOption = option: option; types = { str = null; listOf = type: type; }; };
                pkgs.stdenv.hostPlatform.system = "\(system)";
              };
            in (module.nixosModules.default given).config.\(attribute)
            """
        }

        private func unit(_ tree: String, _ system: String, _ attribute: String) -> String {
            setting(tree, system, "systemd.units.\"deploy-swift-recover.service\".\(attribute)")
        }

        @Test func eachUserGetsOneRuleForOneNameOfTheAgent() async throws {
            let source = setting("tree", "x86_64-linux", "environment.etc.\"deploy-swift/activate\".source")
            #expect(try await store.value(source).contains("-deploy-swift-agent/bin/activate"))
            let rules = try await store.value(setting("tree", "x86_64-linux", "security.sudo.extraRules"))
            let expected = ["me", "ci"].map { user in
                #"{"commands":[{"command":"/etc/deploy-swift/activate","options":["NOPASSWD"]}],"runAs":"root","users":["\#(user)"]}"#
            }
            #expect(rules == "[\(expected.joined(separator: ","))]")
        }

        @Test func theUnitIsTheOneForOtherSystemsWithTheAgentFromTheStore() async throws {
            let value = try await store.value(unit("tree", "x86_64-linux", "text"))
            let text = try JSONDecoder().decode(String.self, from: Data(value.utf8))
            let file = "\(NixLibraryStore.repository)/lib/deploy-swift-recover.service"
            let expected = try String(contentsOfFile: file, encoding: .utf8)
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("ExecStart=") })
            #expect(line.hasPrefix("ExecStart=/nix/store/"))
            #expect(line.hasSuffix("-deploy-swift-agent/bin/activate recover --background"))
            let others = text.split(separator: "\n").filter { !$0.hasPrefix("ExecStart=") }
            #expect(others == expected.split(separator: "\n").filter { !$0.hasPrefix("ExecStart=") })
            let wanted = try await store.value(unit("tree", "x86_64-linux", "wantedBy"))
            #expect(wanted == #"["multi-user.target"]"#)
        }

        /// Without the context the agent would be missing from the system's closure.
        @Test func theAgentIsPartOfTheSystem() async throws {
            let context = "builtins.attrNames (builtins.getContext (\(unit("tree", "x86_64-linux", "text"))))"
            let value = try await store.value(context)
            #expect(value.contains("-deploy-swift-agent"))
        }

        @Test(arguments: [("tree", "riscv64-linux"), ("bare", "x86_64-linux")])
        func whereThereIsNoAgentThisIsSaid(tree: String, system: String) async throws {
            let result = try await store.building(unit(tree, system, "text"))
            #expect(!result.exit.isSuccess)
            #expect(result.errorText.contains("there is no agent binary for \(system)"))
        }
    }
}
