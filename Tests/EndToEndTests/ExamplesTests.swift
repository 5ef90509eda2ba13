import Foundation
import Shared
import Testing

/// Each example as its README says: copied out of the repository, its checks run, deployed to a node.
@Suite(.serialized, .enabled(if: Lab.isAvailable, "\(Lab.obstacle ?? "")"), .timeLimit(.minutes(3)))
struct ExamplesTests {
    /// A copy of an example on the deployer's side.
    private struct Example {
        let lab: Lab
        let folder: String

        init(_ name: String, in lab: Lab) throws {
            self.lab = lab
            folder = "\(lab.folder)/example-\(name)"
            try FileManager.default.copyItem(atPath: "\(Lab.root)/examples/\(name)", toPath: folder)
        }

        /// Deploys it, with its checks.
        func deploy(_ words: [String] = []) async throws -> LocalResult {
            let program = "\(Lab.prefix ?? "")/bin/deploy"
            let library = ["--", "--override-input", "deploy-rs", "path:\(Lab.prefix ?? "")/share/deploy-swift"]
            return try await lab.run([program, "path:\(folder)"] + words + library)
        }

        func deployed(_ words: [String] = []) async throws {
            let result = try await deploy(words)
            try #require(result.exit == .code(ExitCode.done.rawValue), "\(result.errorText)")
            #expect(result.errorText.contains("running the checks of"))
        }

        func write(_ name: String, _ text: String) throws {
            try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        }
    }

    @Test func theSimpleExampleRunsItsProgramAsTheUser() async throws {
        try await Lab.withNode { lab, node in
            let result = try await Example("simple", in: lab).deploy()
            #expect(result.exit == .code(ExitCode.done.rawValue), "\(result.errorText)")
            let link = Node.appProfile("hello")
            #expect(result.errorText.contains("hello from app on web1, out of \(link)"), "\(result.errorText)")
            #expect(try await node.generations(link) == [1])
            #expect(try await node.shell("stat -c %U \(link)") == "app")
        }
    }

    @Test func theHomeExampleKeepsToTheFilesOfItsUser() async throws {
        try await Lab.withNode { lab, node in
            let example = try Example("home", in: lab)
            try await example.deployed()
            let link = Node.appProfile("home")
            #expect(try await node.shell("readlink .bash_aliases", as: "app") == "\(link)/home-files/.bash_aliases")
            #expect(try await node.shell("cat .config/example/settings.toml", as: "app").isEmpty == false)
            // A file of the user's own stops the next generation, and nothing of the first is lost.
            try await node.shell("rm .bash_aliases && echo mine >.bash_aliases", as: "app")
            try example.write("generation/home-files/.another", "another\n")
            let result = try await example.deploy()
            #expect(result.errorText.contains("is a file of yours"), "\(result.errorText)")
            #expect(try await node.shell("cat .bash_aliases", as: "app") == "mine")
            #expect(try await node.profile(link) == node.profile("\(link)-1-link"))
        }
    }

    @Test func theSystemExampleAnswersWithItsVersion() async throws {
        try await Lab.withNode { lab, node in
            let example = try Example("system", in: lab)
            let address = trimmed(try await lab.tool("address", "web1").text)
            for version in ["1", "2"] {
                try example.write("version", "\(version)\n")
                try await example.deployed()
                #expect(try await answer(address) == "hello, version \(version)")
                #expect(try await node.shell("cat /etc/example-system") == version)
            }
            #expect(try await node.shell("ps -o user= -C hello") == "app")
            #expect(try await node.generations() == [1, 2])
        }
    }

    @Test(arguments: ["broken", "locked-out"])
    func aBadVersionOfTheSystemExampleIsTakenBackOnBothProfiles(version: String) async throws {
        try await Lab.withNode { lab, node in
            let example = try Example("system", in: lab)
            let address = trimmed(try await lab.tool("address", "web1").text)
            try await example.deployed()
            try example.write("version", version)
            let result = try await example.deploy(["--confirm-timeout", "4"])
            #expect(result.exit == .code(ExitCode.rolledBack.rawValue), "\(result.errorText)")
            #expect(try await answer(address) == "hello, version 1")
            #expect(try await node.shell("cat /etc/example-system") == "1")
            for link in ["/nix/var/nix/profiles/system", Node.appProfile("hello")] {
                #expect(try await node.shell("readlink \(link)").hasSuffix("-1-link"))
            }
            #expect(try await lab.tool("ssh", "web1", "echo", "in").text == "in\n")
        }
    }

    private func answer(_ address: String) async throws -> String {
        let words = ["curl", "-s", "--max-time", "5", "http://\(address):8080/"]
        return trimmed(try await LocalCommand(words).run(timeLimit: .seconds(20)).text)
    }
}
