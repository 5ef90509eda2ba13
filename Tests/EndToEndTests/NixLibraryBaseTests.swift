import Shared
import Testing

extension NixLibrary {
    struct BaseTests {
        let store: NixLibraryStore

        init() throws { store = try NixLibraryStore.shared.get() }

        @Test(arguments: [
            ("base", "hello-1.0"), (#""${base}""#, "hello-1.0"), (#""${base}/bin""#, "bin"), ("./tree/lib", "lib"),
            ("builtins.unsafeDiscardStringContext (builtins.storePath base)", "hello-1.0"),
            (#"builtins.path { path = ./tree/lib; name = "a+b"; }"#, "a+b"),
        ])
        func aBaseIsADerivationAPathOrAString(base: String, name: String) async throws {
            _ = try await store.built("base")
            let path = try await store.built("lib.activate.noop (\(base))")
            #expect(path.hasSuffix("-activatable-\(name)"))
            // A base without context would be missing from the references, and so from the node.
            let references = try await store.output(["nix-store", "-q", "--references", path])
            #expect(references.split(separator: "\n").count == 2)
        }

        @Test(arguments: ["lib", "bare"])
        func anActivatableBaseIsRefused(library: String) async throws {
            let result = try await store.building("\(library).activate.noop (lib.activate.noop base)")
            #expect(!result.exit.isSuccess)
            #expect(result.errorText.contains("it has been made activatable before"))
        }

        @Test(arguments: ["lib", "bare"])
        func aFileIsRefused(library: String) async throws {
            let result = try await store.building("\(library).activate.noop dep")
            #expect(!result.exit.isSuccess)
            #expect(result.errorText.contains("-dep is not a folder"))
        }

        @Test func aFolderOutsideTheStoreIsRefused() async throws {
            let result = try await store.building(#"lib.activate.noop "/etc""#)
            #expect(result.errorText.contains("/etc is not in the Nix store"))
        }

        @Test func aWrapperIsForTheLibrarysSystem() async throws {
            let library = #"(import ./tree/lib { system = "aarch64-linux"; })"#
            #expect(try await store.value("(\(library).activate.noop base).system") == "\"aarch64-linux\"")
        }

        @Test func aTextMayBeLongerThanTheEnvironmentHolds() async throws {
            let line = #"builtins.genList (i: "echo line ${toString i}") 40000"#
            let script = try await store.script(
                #"lib.activate.custom base (builtins.concatStringsSep "\n" (\#(line)))"#)
            #expect(script.utf8.count > 1 << 20)
        }

        @Test(
            .enabled(
                if: currentEnvironment()["DEPLOY_PREFIX"] != nil,
                "an agent that is not static needs the toolchain's libraries, which no sandbox holds"))
        func aWrapperIsBuiltInASandboxThatHoldsNothing() async throws {
            let library = #"(import ./tree/lib { system = "x86_64-linux"; })"#
            let words = ["nix-build", "--no-out-link", "--option", "sandbox", "true", "--option", "sandbox-paths", ""]
            let path = try await store.output(words + ["--expr", "\(library).activate.custom ./tree/lib \"true\""])
            #expect(path.hasSuffix("-activatable-lib"))
        }

        @Test func withoutAnAgentAWrapperIsMadeByAShellAndSaysSo() async throws {
            let result = try await store.building(#"bare.activate.custom base "cat ${dep}""#)
            #expect(result.errorText.contains("there is no agent binary for x86_64-linux"))
            let path = trimmed(result.text)
            #expect(try await store.output(["ls", path]) == "bin\ndeploy-rs-activate")
            let references = try await store.output(["nix-store", "-q", "--references", path])
            #expect(references.split(separator: "\n").count == 2)
        }

        @Test func theToolsOfABaseFromNixpkgsAreUsed() async throws {
            let base = #"base // { stdenv = { shell = "/bin/bash"; initialPath = [ "/no-such" "/usr" ]; }; }"#
            let path = try await store.built("bare.activate.noop (\(base))")
            #expect(try await store.output(["ls", path]) == "bin\ndeploy-rs-activate")
        }
    }
}
