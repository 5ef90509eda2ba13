import Foundation
import Shared
import Testing

extension NixLibrary {
    struct ExampleTests {
        let store: NixLibraryStore

        init() throws { store = try NixLibraryStore.shared.get() }

        /// A copy of an example, and the words that make Nix take this tree for the installed one.
        private func example(_ name: String) throws -> (flake: String, words: [String]) {
            let copy = "\(store.folder)/example-\(name)-\(UUID().uuidString)"
            try FileManager.default.copyItem(atPath: "\(NixLibraryStore.repository)/examples/\(name)", toPath: copy)
            let override = ["--no-write-lock-file", "--override-input", "deploy-rs", "path:\(store.folder)/tree"]
            return ("path:\(copy)", override)
        }

        /// The closure of a profile of an example, built.
        private func closure(_ example: (flake: String, words: [String]), _ profile: String) async throws -> String {
            let attribute = "\(example.flake)#deploy.nodes.web1.profiles.\(profile).path"
            _ = try await store.output(["nix", "build", "--no-link", attribute] + example.words)
            return try await store.output(["nix", "eval", "--raw", attribute] + example.words)
        }

        @Test(arguments: ["simple", "system", "home", "custom", "rootless"])
        func anExamplePassesItsChecks(name: String) async throws {
            let example = try example(name)
            _ = try await store.output(["nix", "flake", "check", example.flake] + example.words)
        }

        @Test(arguments: ["simple", "system", "home", "custom", "rootless", "nixos"])
        func anExampleNamesTheInstalledLibraryAndExplainsItself(name: String) throws {
            let folder = "\(NixLibraryStore.repository)/examples/\(name)"
            let flake = try String(contentsOfFile: "\(folder)/flake.nix", encoding: .utf8)
            #expect(flake.contains(#"inputs.deploy-rs.url = "path:/usr/local/share/deploy-swift";"#))
            let lines = try String(contentsOfFile: "\(folder)/README.md", encoding: .utf8).split(separator: "\n")
            #expect((4...6).contains(lines.count))
        }

        @Test func theHomeExampleLinksDotfilesAndLeavesForeignOnesAlone() async throws {
            let path = try await closure(try example("home"), "home")
            let home = "\(store.folder)/home-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
            let environment = ["HOME": home, "PROFILE": path]
            let first = try await store.run(["\(path)/deploy-rs-activate"], environment: environment)
            #expect(first.text == "2 files linked into \(home)\n", "\(first.errorText)")
            let target = try FileManager.default.destinationOfSymbolicLink(atPath: "\(home)/.bash_aliases")
            #expect(target == "\(path)/home-files/.bash_aliases")
            try FileManager.default.removeItem(atPath: "\(home)/.bash_aliases")
            _ = FileManager.default.createFile(atPath: "\(home)/.bash_aliases", contents: nil)
            let second = try await store.run(["\(path)/deploy-rs-activate"], environment: environment)
            #expect(!second.exit.isSuccess)
            #expect(second.errorText.contains("is a file of yours"))
        }

        @Test func theHelloServiceTakesTheOldOnesPlace() async throws {
            let program = "\(NixLibraryStore.repository)/examples/system/hello/bin/hello"
            let home = "\(store.folder)/hello-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
            let port = "\(20000 + getpid() % 10000)"
            for version in ["1", "2"] {
                let started = try await store.run([program, port, version], environment: ["HOME": home])
                #expect(started.text == "version \(version) answers on port \(port)\n", "\(started.errorText)")
                let answer = try await store.output(["curl", "-s", "http://127.0.0.1:\(port)/"])
                #expect(answer == "hello, version \(version)")
            }
            let broken = try await store.run([program, port, "broken"], environment: ["HOME": home])
            #expect(!broken.exit.isSuccess)
            #expect(try await store.output(["curl", "-s", "http://127.0.0.1:\(port)/"]) == "hello, version 2")
            _ = try await store.output(["kill", try await store.output(["cat", "\(home)/hello.pid"])])
        }
    }
}
