import Shared
import Testing

extension NixLibrary {
    struct KindTests {
        let store: NixLibraryStore

        init() throws { store = try NixLibraryStore.shared.get() }

        @Test func aWrapperLinksToItsBaseAndRefersToWhatItsTextNames() async throws {
            let path = try await store.built(#"lib.activate.custom base "cat ${dep}""#)
            #expect(path.hasSuffix("-activatable-hello-1.0"))
            #expect(try await store.output(["cat", "\(path)/bin/hello"]) == "hi")
            let references = try await store.output(["nix-store", "-q", "--references", path])
            for name in ["-hello-1.0", "-dep", "-deploy-swift-agent"] { #expect(references.contains("\(name)")) }
            #expect(try await store.output(["readlink", "\(path)/activate-rs"]).hasSuffix("-agent/bin/activate"))
        }

        /// The branches of a script: dry run, boot, activation.
        @Test(arguments: [
            (#"lib.activate.custom base ''echo "it's" on''"#, [#"echo "it's" on"#, #"echo "it's" on"#, "it's on"]),
            (
                #"(lib.activate.custom // { dryActivate = "echo dry"; boot = "echo boot"; }) base "echo on""#,
                ["dry", "boot", "on"]
            ),
            (#"(lib.activate.custom // { boot = "echo boot"; }) base "echo on""#, ["echo on", "boot", "on"]),
            ("lib.activate.noop base", [":", ":", ""]),
            ("lib.activate.custom base ''\ncat <<END\n$PROFILE\nEND''", ["cat <<END\n$PROFILE\nEND", "", "/p"]),
            (##"lib.activate.custom base "# nothing""##, ["# nothing", "# nothing", ""]),
            (#"lib.activate.custom base "false; echo on""#, ["false; echo on", "", "exit status 1"]),
            (#"bare.activate.custom base ''echo "it's" on''"#, [#"echo "it's" on"#, #"echo "it's" on"#, "it's on"]),
        ])
        func aScriptDoesWhatItsVariablesSay(expression: String, expected: [String]) async throws {
            let script = try await store.built(expression) + "/deploy-rs-activate"
            let modes = [("1", "0"), ("0", "1"), ("0", "0")]
            for ((dry, boot), expected) in zip(modes, expected) where !expected.isEmpty {
                let environment = ["DRY_ACTIVATE": dry, "BOOT": boot, "PROFILE": "/p"]
                let result = try await store.run([script], environment: environment)
                #expect((result.exit.isSuccess ? trimmed(result.text) : "\(result.exit)") == expected)
            }
        }

        @Test(arguments: [
            ("lib.activate.noop base", "/usr/bin/env bash"),
            (#"lib.activate.noop (base // { stdenv.shell = "/std/bash"; })"#, "/std/bash"),
            (
                #"lib.activate.noop (base // { stdenv.shell = "/std/bash"; pkgs.runtimeShell = "/run/bash"; })"#,
                "/run/bash"
            ),
            (#"(import ./tree/lib { system = "x86_64-linux"; shell = "/my/bash"; }).activate.noop base"#, "/my/bash"),
            ("lib.activate.nixos (nixos { })", "/runtime/bash"),
            ("lib.activate.darwin (nixos { })", "/runtime/bash"),
            (#"lib.activate.home-manager { activationPackage = base; pkgs.runtimeShell = "/hm/bash"; }"#, "/hm/bash"),
            (#"lib.activate.home-manager { activationPackage = base // { stdenv.shell = "/s"; }; }"#, "/s"),
        ])
        func theInterpreterIsTheBasesOwnBeforeAnyOther(expression: String, expected: String) async throws {
            #expect(try await store.script(expression).hasPrefix("#!\(expected)\nset -euo pipefail\n"))
        }

        @Test func aNixOSSystemIsSwitchedTriedAndBooted() async throws {
            let script = try await store.script("lib.activate.nixos (nixos { })")
            let lines = script.split(separator: "\n")
            for action in ["dry-activate", "boot", "switch"] {
                #expect(lines.contains(#""$PROFILE"/bin/switch-to-configuration \#(action)"#))
            }
            #expect(lines.contains("cd /tmp"))
            #expect(!script.contains("loader.conf"))
        }

        @Test(arguments: [("true", true), ("false", false)])
        func theDefaultEntryOfSystemdBootIsDropped(enabled: String, isDropped: Bool) async throws {
            let loader = #"{ systemd-boot.enable = \#(enabled); efi.efiSysMountPoint = "/boot/efi"; }"#
            let script = try await store.script("lib.activate.nixos (nixos \(loader))")
            #expect(script.contains("sed -i '/^default /d' '/boot/efi/loader/loader.conf'") == isDropped)
        }

        @Test func theOtherKindsRunTheirOwnActivate() async throws {
            let home = try await store.script("lib.activate.home-manager { activationPackage = base; }")
            #expect(home.hasSuffix("else\n:\n\"$PROFILE\"/activate\nfi"))
            let darwin = try await store.script("lib.activate.darwin (nixos { })")
            #expect(darwin.hasSuffix("else\n:\nHOME=/var/root \"$PROFILE\"/activate\nfi"))
        }

        @Test func setActivateIsCustomWithAWarning() async throws {
            let result = try await store.building(#"lib.setActivate base "true""#)
            #expect(result.errorText.contains("trace: deploy-rs#lib.setActivate is deprecated"))
            #expect(trimmed(result.text) == (try await store.built(#"lib.activate.custom base "true""#)))
        }
    }
}
