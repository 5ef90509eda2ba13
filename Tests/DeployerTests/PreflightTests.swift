import Shared
import Testing

@testable import Deployer

struct PreflightTests {
    private let query = NodeFactsQuery(
        agents: ["/nix/store/agent"], elevations: [["sudo", "-u", "root"], ["no-such-program", "-u", "x"]], marker: "m")

    @Test func theQuestionWorksInARealShell() async throws {
        let result = try await LocalCommand(query.words).run()
        let facts = try query.parse(result.text)
        #expect(facts.system.hasSuffix("-linux") || facts.system.hasSuffix("-darwin"))
        #expect(facts.agents.isEmpty)
        #expect(facts.elevations[["no-such-program", "-u", "x"]]?.status == 127)
    }

    @Test func suTakesACommandAsOneText() {
        let secret = Secret(Array("pw".utf8))
        let words = Elevation.words(["su", "root"]).applied(to: ["/a b", "c"]).words
        #expect(words == ["su", "root", "-c", "'/a b' c"])
        #expect(Elevation.password(["su", "root"], secret).applied(to: ["id"]).words == ["su", "root", "-c", "id"])
    }

    @Test(arguments: [
        ("sudo -u root", "sudo -n -u root"), ("/run/wrappers/bin/doas -u app", "/run/wrappers/bin/doas -n -u app"),
        ("run0 --user root", "run0 --no-ask-password --user root"), ("su root", "su root"), ("me root", "me root"),
    ])
    func nobodyIsAskedWhileItIsTried(prefix: String, expected: String) {
        let words = prefix.split(separator: " ").map(String.init)
        #expect(Elevation.withoutAsking(words).joined(separator: " ") == expected)
    }

    @Test func anInstalledAgentMustBeOfThisVersion() async throws {
        var query = query
        query.installed = ["/bin/echo", "/no/such", "/bin/true"]
        query.probes = [["sudo", "-u", "root"]: ["/a", "--version"]]
        #expect(query.words[2].contains("sudo -n -u root /a --version"))
        let facts = try query.parse(try await LocalCommand(query.words).run().text)
        #expect(facts.installed["/no/such"] == "" && facts.installed["/bin/true"] != nil)
        let good = NodeFacts(
            system: "", nixDaemon: nil, agents: [], elevations: [:], installed: ["/a": agentVersion, "/b": "other 1"])
        var profile = PlannedProfile.rootSystem
        profile.agentPath = "/a"
        try good.checkInstalled([profile, .rootSystem])
        for (path, found) in [("/b", "other 1"), ("/c", "")] {
            profile.agentPath = path
            #expect(throws: PreflightError.installedAgent(path: path, found: found, wanted: agentVersion)) {
                try good.checkInstalled([profile])
            }
        }
    }

    @Test func linesOfALoginBannerAreNoAnswer() throws {
        let text = """
            Welcome! system x y
            m system x86_64 Linux
            m daemon /usr/bin/nix-daemon
            m agent /nix/store/agent
            m elevation 0 1 sudo: a password is required
            m end
            """
        let expected = NodeFacts(
            system: "x86_64-linux", nixDaemon: "/usr/bin/nix-daemon", agents: ["/nix/store/agent"],
            elevations: [["sudo", "-u", "root"]: .init(status: 1, text: "sudo: a password is required")])
        #expect(try query.parse(text) == expected)
    }

    @Test(arguments: ["", "This account is not available.\n", "m system x86_64 Linux\n", "m elevation 99999999999 0\n"])
    func anAnswerWithoutAnEndIsRefused(text: String) {
        #expect(throws: PreflightError.self) { try query.parse(text) }
    }

    @Test(arguments: [
        (["KillUserProcesses=no", "linger app no"], []), (["KillUserProcesses=yes", "linger app no"], ["app", "web"]),
        (["KillUserProcesses=yes", "linger app yes", "linger web "], ["web"]), ([], []),
        (["KillUserProcesses=yes", "KillOnlyUsers=alice deploy"], ["app", "web"]),
        (["KillUserProcesses=yes", "KillOnlyUsers=alice", "KillExcludeUsers="], []),
        (["KillUserProcesses=yes", "KillExcludeUsers=root deploy"], []),
    ])
    func aGuardianEndsWithTheLoginWhereLogindKillsAndTheUserDoesNotLinger(lines: [String], users: [String]) throws {
        let query = try #require(LoginEndQuery(sshUser: "deploy", users: ["web", "root", "app", "app"], marker: "m"))
        let text = "KillUserProcesses=yes\n" + lines.map { "m \($0)\n" }.joined()
        #expect(query.endangered(text) == users)
    }

    @Test func theQuestionForTheEndOfALoginWorksInARealShell() async throws {
        let query = try #require(LoginEndQuery(sshUser: "deploy", users: ["a b"], marker: "m"))
        let result = try await LocalCommand(query.words).run()
        #expect(result.exit == .code(0))
        #expect(result.errorOutput == [])
    }

    @Test func rootsGuardiansAndRootsLoginsNeedNoLingering() {
        #expect(LoginEndQuery(sshUser: "root", users: ["app"], marker: "m") == nil)
        #expect(LoginEndQuery(sshUser: "deploy", users: ["root"], marker: "m") == nil)
    }

    @Test func rootStartsTheAgentOfAnotherUserAsAUnit() {
        let words = RootUnit.words(for: "app", ["/a/bin/activate", "status", "$x"])
        #expect(words.prefix(6) == ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--uid=app"])
        #expect(words.suffix(4) == ["--", "/a/bin/activate", "status", "$$x"])
    }

    @Test func aPasswordGoesToStandardInputAndShowsNowhere() {
        let secret = Secret(Array("hunter2".utf8))
        let command = Elevation.password(["sudo", "-u", "root"], secret).applied(to: ["id"])
        #expect(command.words == ["sudo", "-u", "root", "-S", "-p", "", "id"])
        #expect(command.input.bytes == Array("hunter2\n".utf8))
        #expect(command.input.holdsSecret)
        #expect(!"\(secret) \(String(reflecting: Elevation.password(["sudo"], secret)))".contains("hunter2"))
    }
}

@Test(arguments: [
    ("plain", "plain", "plain"), ("\u{1b}[31mred\u{1b}[0m", "\u{1b}[31mred\u{1b}[0m\u{1b}[0m", "red"),
    ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}", "\\u{1b}]0;title\\u{7}"), ("a\tb\r", "a\tb", "a\tb"),
    ("\u{1b}[8mhidden", "\u{1b}[8mhidden\u{1b}[0m", "hidden"), ("\u{9b}1m", "\\u{9b}1m", "\\u{9b}1m"),
])
func aNodesOutputCannotDriveTheTerminal(text: String, colored: String, plain: String) {
    #expect(printable(text, withColor: true) == colored)
    #expect(printable(text) == plain)
}
