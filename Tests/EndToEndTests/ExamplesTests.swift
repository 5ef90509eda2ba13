import Foundation
import Shared
import Testing

/// Each example as its README says: copied out of the repository, its checks run, deployed to a node.
@Suite(.serialized, .enabled(if: Lab.isAvailable, "\(Lab.obstacle ?? "")"), .timeLimit(.minutes(10)))
struct ExamplesTests {
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

    @Test(arguments: ["broken", "locked-out", "unwell"])
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

    @Test func theCustomExampleTriesChecksAndTakesBack() async throws {
        try await Lab.withNode { lab, node in
            let example = try Example("custom", in: lab)
            try example.write("files/etc/greeting", "good bye\n")
            let first = try await example.deploy()
            #expect(first.exit == .code(ExitCode.rolledBack.rawValue), "\(first.errorText)")
            #expect(try await node.shell("ls /etc/greeting 2>/dev/null || true") == "")
            try example.write("files/etc/greeting", "hello\n")
            try await example.deployed()
            #expect(try await node.shell("cat /etc/greeting") == "hello")
            try example.write("files/etc/greeting", "hello there\n")
            let dry = try await example.deploy(["--dry-activate"])
            #expect(dry.errorText.contains("> hello there"), "\(dry.errorText)")
            try await example.deployed(["--boot"])
            #expect(try await node.shell("cat /etc/greeting /etc/greeting.next") == "hello\nhello there")
            #expect(try await node.profile("/nix/var/nix/profiles/per-user/root/tools").hasSuffix("-activatable-files"))
        }
    }

    @Test(.enabled(if: SystemdLab.isAvailable, Comment(rawValue: SystemdLab.obstacle ?? "")))
    func theRootlessExampleRunsUnderTheUsersOwnSystemd() async throws {
        try await Lab.withNode(options: try SystemdLab.options) { lab, node in
            let example = try Example("rootless", in: lab)
            let link = Node.appProfile("hello")
            let runtime = "XDG_RUNTIME_DIR=/run/user/$(id -u)"
            let state = "env \(runtime) systemctl --user is-active hello; cat /run/user/$(id -u)/hello"
            let alone = try await example.deploy()
            #expect(alone.exit == .code(ExitCode.rolledBack.rawValue), "\(alone.errorText)")
            #expect(alone.errorText.contains("loginctl enable-linger app"), "\(alone.errorText)")
            try await node.shell("loginctl enable-linger app")
            try await node.waits(for: "[ -S /run/user/$(id -u app)/bus ]")
            for version in ["1", "2"] {
                try example.write("version", "\(version)\n")
                try await example.deployed()
                #expect(try await node.shell(state, as: "app") == "active\n\(version)")
            }
            try example.write("version", "broken\n")
            let broken = try await example.deploy()
            #expect(broken.exit == .code(ExitCode.rolledBack.rawValue), "\(broken.errorText)")
            #expect(try await node.shell(state, as: "app") == "active\n2")
            // Nobody is logged in, and after a power loss nobody has been.
            try await lab.tool("kill", "web1")
            try await lab.tool("boot", "web1")
            try await node.waits(for: "[ -e /run/user/$(id -u app)/hello ]")
            #expect(try await node.shell(state, as: "app") == "active\n2")
            #expect(try await node.profile(link) == node.profile("\(link)-2-link"))
        }
    }

    private func answer(_ address: String) async throws -> String {
        let words = ["curl", "-s", "--max-time", "5", "http://\(address):8080/"]
        return trimmed(try await LocalCommand(words).run(timeLimit: .seconds(120)).text)
    }
}
