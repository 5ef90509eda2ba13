import Foundation
import Shared
import Testing

/// The question of `-i`.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct PromptTests {
    private static let question = "Are you sure you want to deploy these profiles?"

    @Test func whatWillBeDeployedIsShownBeforeAnythingIsBuilt() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab).write([.init(extra: #"sshOpts = [ "-o" "ConnectTimeout=5" ];"#)])
            let declined = try await lab.deploy(["-i", fixture.flake], input: "n\n")
            expect(declined, .declined, says: Self.question, "nothing was changed")
            let path = try #require(declined.errorText.firstMatch(of: #/path = "(/nix/store/[^"]*)"/#)?.output.1)
            let toml = """
                [web1.system]
                user = "root"
                ssh_user = "root"
                path = "\(path)"
                hostname = "web1"
                ssh_opts = ["-o", "ConnectTimeout=5"]
                """
            expect(declined, .declined, says: toml)
            expect(declined, saysNot: "building")
            #expect(try await !lab.run(["test", "-e", String(path)]).exit.isSuccess)
            #expect(try await node.logins() == [])
        }
    }

    @Test func onlyYesGoesOn() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab).write([.init()])
            for answer in ["no\n", "\n", "perhaps\n", "sure\nyes\n"] {
                let result = try await lab.deploy(["--interactive", fixture.flake], input: answer)
                expect(result, .declined, says: Self.question, "nothing was changed")
            }
            let ended = try await lab.deploy(["-i", fixture.flake])
            expect(ended, .declined, says: "the question was not answered", "answer on a terminal")
            #expect(try await node.generations() == [])
            #expect(try await node.logins() == [])
            for answer in ["yes\n", "y\n", " YES \n"] {
                expect(try await lab.deploy(["-i", fixture.flake], input: answer), .done)
            }
        }
    }

    @Test func aTerminalIsAskedAndColoredUnlessToldNotTo() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab).write([.init()])
            let answers: [Terminal.Answer] = [(Self.question, "yes")]
            let environment = ["TERM": "xterm", "NO_COLOR": ""]
            let color = try await lab.deployOnTerminal(
                ["-i", fixture.flake], answers: answers, environment: environment)
            #expect(color.exit == .code(0), "\(color.text)")
            #expect(color.text.contains("deploy: \u{1b}[36minfo\u{1b}[0m: the following profiles"))
            let plain = try await lab.deployOnTerminal(
                ["-i", fixture.flake], answers: answers, environment: environment.merging(["NO_COLOR": "1"]) { $1 })
            #expect(plain.exit == .code(0) && !plain.text.contains("\u{1b}"), "\(plain.text)")
            let piped = try await lab.deploy(["-i", fixture.flake], input: "yes\n", environment: environment)
            expect(piped, saysNot: "\u{1b}")
        }
    }
}
