import Foundation
import Shared
import Testing

/// How the SSH user becomes the profile's user.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct ElevationTests {
    private static let right = "correct horse"
    private static let question = "Password: "
    /// Everything that other processes on the node can see of the deploy, and what the agent got as input.
    private static let spy = """
        for f in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do tr '\\0' ' ' <$f 2>/dev/null || true; echo; done >/tmp/seen
        cat >/tmp/input; id -un >/tmp/user
        """

    private func fixture(_ lab: Lab, _ user: String, _ extra: String = "", activation: String = spy) throws -> Fixture {
        try Fixture(in: lab).write([.init(activation: activation)], node: "sshUser = \"\(user)\"; \(extra)")
    }

    @Test func aUserWithARuleNeedsNoPassword() async throws {
        try await Lab.withNode(options: ["--trust", "deploy"]) { lab, node in
            // Asked for or not: where none is needed, nobody is asked.
            for extra in ["", "interactiveSudo = true;"] {
                expect(try await lab.deploy(["--force", try fixture(lab, "deploy", extra).flake]), .done)
                #expect(try await node.shell("cat /tmp/user /tmp/input; rm /tmp/user") == "root")
            }
        }
    }

    @Test("R6: the password is asked for once, not again in the window, and shows nowhere")
    func thePasswordIsAskedForOnceAndShowsNowhere() async throws {
        try await Lab.withNode(options: ["--trust", "admin"]) { lab, node in
            let flake = try fixture(lab, "admin", "interactiveSudo = true;").flake
            let logs = "\(lab.folder)/logs"
            let words = ["-d", "--log-dir", logs, flake]
            let run = try await lab.deployOnTerminal(words, answers: [(Self.question, Self.right)])
            #expect(run.exit == .code(0), "\(run.text)")
            #expect(run.text.split(separator: "(sudo -u root on admin@web1) Password: ").count == 2, "\(run.text)")
            #expect(!run.text.contains(Self.right), "\(run.text)")
            #expect(try await node.shell("cat /tmp/user /tmp/input") == "root")
            let places = "/tmp/seen /tmp/input /var/log \(logs) /nix/var/nix/profiles /root /home"
            #expect(try await node.shell("grep -ral '\(Self.right)' \(places) 2>/dev/null || true") == "")
            #expect(try await node.shell("grep -c sudo /tmp/seen") != "0")
            let here = try await lab.run(["grep", "-ral", Self.right, logs])
            #expect(here.text.isEmpty)
        }
    }

    @Test func aWrongPasswordThreeTimesChangesNothing() async throws {
        try await Lab.withNode(options: ["--trust", "admin"]) { lab, node in
            let flake = try fixture(lab, "admin").flake
            let answers: [Terminal.Answer] = Array(repeating: (Self.question, "wrong"), count: 3)
            let run = try await lab.deployOnTerminal(["--interactive-sudo", "true", flake], answers: answers)
            #expect(run.exit == .code(1), "\(run.text)")
            #expect(run.text.contains("web1: error: "), "\(run.text)")
            #expect(run.text.contains("`sudo -u root` did not accept the password"), "\(run.text)")
            #expect(run.text.contains("nothing was"), "\(run.text)")
            #expect(try await node.generations() == [])
            // Two mistakes are forgiven.
            let second = answers.prefix(2) + [(Self.question, Self.right)]
            let forgiven = try await lab.deployOnTerminal(
                ["--interactive-sudo", "true", flake], answers: Array(second))
            #expect(forgiven.exit == .code(0), "\(forgiven.text)")
        }
    }

    @Test func whoMayNotIsToldBeforeAnythingIsBuiltOrChanged() async throws {
        try await Lab.withNode(options: ["--trust", "deploy"]) { lab, node in
            let silent = try await lab.deploy([try fixture(lab, "admin").flake])
            expect(
                silent, .failed, says: "web1: error: preflight failed: `sudo -u root` needs a password on the node",
                "interactiveSudo = true", "nothing was activated")
            expect(silent, saysNot: "copying")
            let nobody = try await lab.deploy([try fixture(lab, "admin", "interactiveSudo = true;").flake])
            expect(nobody, .failed, says: "no terminal")
            let ruleless = try await lab.deploy([try fixture(lab, "app").flake])
            expect(ruleless, .failed, says: "web1: error: preflight failed", "sudo -u root")
            let ghost = try await lab.deploy(["--profile-user", "ghost", try fixture(lab, "deploy").flake])
            expect(ghost, .failed, says: "web1: error: preflight failed: there is no user \"ghost\" on the node")
            let missing = try await lab.deploy(["--sudo", "/nowhere/become", try fixture(lab, "deploy").flake])
            expect(missing, .failed, says: "/nowhere/become")
            #expect(try await node.generations() == [])
        }
    }

    @Test func aUserWhomNixDoesNotTrustGetsAHint() async throws {
        try await Lab.withNode { lab, node in
            let result = try await lab.deploy([try fixture(lab, "deploy").flake])
            expect(
                result, .failed, says: "web1: error: copy failed", "is not trusted by the node's Nix", "trusted-users",
                "LOCAL_KEY", "nothing was activated")
            #expect(try await node.generations() == [])
        }
    }

    @Test func profilesOfTwoUsersComeUpInOneRun() async throws {
        try await Lab.withNode { lab, node in
            let app = Fixture.Profile(
                name: "hello", user: "app", activation: "id -un >$HOME/who", extra: #"sshUser = "app";"#)
            let fixture = try Fixture(in: lab).write([.init(activation: "id -un >/root/who"), app])
            let result = try await lab.deploy([fixture.flake])
            expect(result, .done, says: "copying 2 closures")
            for name in ["hello", "system"] { expect(result.errorText, hasRow: "web1 \(name) none -> 1 deployed") }
            #expect(try await node.shell("cat /root/who /home/app/who") == "root\napp")
            #expect(try await node.profile(Node.appProfile("hello")).hasSuffix("-activatable-hello-1"))
            #expect(Set(try await node.logins()) == ["Accepted publickey for root", "Accepted publickey for app"])
        }
    }
}
