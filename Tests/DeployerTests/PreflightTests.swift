import Foundation
import Shared
import Testing

@testable import Deployer

struct PreflightTests {
    private let query = NodeFactsQuery(
        agents: ["/nix/store/agent"],
        groups: [
            .init(elevation: ["sudo", "-u", "root"], profiles: [.named(user: "root", name: "system")]),
            .init(elevation: ["no-such-program", "-u", "x"], profiles: [.path("/p")]),
            .init(elevation: [], profiles: [.named(user: "app", name: "a"), .named(user: "app", name: "b")]),
        ], marker: "m")

    @Test func theQuestionWorksInARealShell() async throws {
        let result = try await LocalCommand(query.words).run()
        let facts = try query.parse(result.text)
        #expect(facts.system.hasSuffix("-linux") || facts.system.hasSuffix("-darwin"))
        #expect(facts.agents.isEmpty)
        #expect(facts.elevations[["no-such-program", "-u", "x"]]?.status == 127)
    }

    @Test func aUserWhomTheNodeDoesNotKnowIsToldFromOneWhoMayNot() async throws {
        var query = query
        query.groups[0].elevation = ["false", "root"]
        query.groups[1].elevation = ["false", "no such-user"]
        let facts = try query.parse(try await LocalCommand(query.words).run().text)
        #expect(facts.missingUsers == ["no such-user"])
        #expect(facts.elevations[["false", "root"]]?.works == false)
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
        query.groups[0].agentPath = "/no/such"
        query.groups[2].agentPath = "/bin/true"
        #expect(query.words[2].contains("sudo -n -u root /no/such --version"))
        let facts = try query.parse(try await LocalCommand(query.words).run().text)
        #expect(facts.installed["/no/such"] == "" && facts.installed["/bin/true"] != nil)
        let good = NodeFacts(
            system: "", agents: [], elevations: [:], installed: ["/a": agentVersion, "/b": "other 1"])
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

    /// A program that only becomes the user takes one text, and one that gets words takes them as they are.
    @Test(arguments: ["su", "become"])
    func theAgentIsAskedBehindAnElevation(name: String) async throws {
        try await withScratchFolder { folder in
            let script = name == "su" ? "[ \"$2\" = -c ] && exec sh -c \"$3\"" : "shift; exec \"$@\""
            try await makeProgram("\(folder)/\(name)", script)
            let agent = "[ \"$1\" = --version ] || echo '{\"profile\":\"'\"$#\"'\"}'"
            try await makeProgram("\(folder)/an agent/bin/activate", agent)
            let group = NodeFactsQuery.Group(
                elevation: ["\(folder)/\(name)", "app"], profiles: [.named(user: "app", name: "it's b")])
            let query = NodeFactsQuery(agents: ["\(folder)/an agent"], groups: [group], marker: "m")
            let facts = try query.parse(try await LocalCommand(query.words).run().text)
            let count = AgentCommand.status(StatusRequest(group.profiles)).words().count
            #expect(facts.elevations[group.elevation]?.works == true)
            #expect(facts.statuses[0]?.map(\.profile) == ["\(count)"])
        }
    }

    /// Where nobody has to be become, one question finds the agent and asks it; one that cannot answer is there all the same.
    @Test(arguments: [[], ["status"], ["status", "--version"]])
    func anAgentIsFoundByWhatItTells(refused: [String]) async throws {
        try await withScratchFolder { folder in
            let path = "\(folder)/agent"
            let agent = """
                echo "$1" >>'\(folder)/asked'
                for word in \(refused.joined(separator: " ")); do [ "$1" != "$word" ] || exit 1; done
                [ "$1" = --version ] || { echo '{"profile":"one"}'; echo '{"profile":"two  words"}'; }
                """
            try await makeProgram("\(path)/bin/activate", agent)
            let group = NodeFactsQuery.Group(
                elevation: [], profiles: [.named(user: "app", name: "a"), .path("/it's")])
            let query = NodeFactsQuery(agents: ["/no/such", path], groups: [group], marker: "m")
            let facts = try query.parse(try await LocalCommand(query.words).run().text)
            #expect(facts.agents == (refused.count < 2 ? [path] : []))
            #expect(facts.statuses[0]?.map(\.profile) == (refused.isEmpty ? ["one", "two  words"] : nil))
            let asked = try String(contentsOfFile: "\(folder)/asked", encoding: .utf8)
            #expect(asked == (refused.isEmpty ? "status\n" : "status\n--version\n"))
        }
    }

    @Test func aFailedElevationCountsForAllThatNeedIt() throws {
        var query = query
        query.groups[1].elevation = query.groups[0].elevation
        let facts = try query.parse("m elevation 0 0\nm elevation 1 1 no\nm end\n")
        #expect(facts.elevations == [query.groups[0].elevation: .init(status: 1, text: "no")])
        let other = try query.parse("m elevation 0 1 no\nm elevation 1 0\nm end\n")
        #expect(other.elevations == facts.elevations)
    }

    @Test func linesOfALoginBannerAreNoAnswer() throws {
        let text = """
            Welcome! system x y
            m system Linux x86_64
            m daemon /usr/bin/nix-daemon
            m store /usr/bin/nix-store
            m socket /nix/var/nix/daemon-socket/socket
            m agent /nix/store/agent
            m elevation 0 1 sudo: a password is required
            m status 2 {"profile":"/a"}
            m status 2 {"profile":"/b  c"}
            m status 1 no json
            m end
            """
        let expected = NodeFacts(
            system: "x86_64-linux", nixDaemon: "/usr/bin/nix-daemon", nixStore: "/usr/bin/nix-store",
            nixSocket: "/nix/var/nix/daemon-socket/socket", agents: ["/nix/store/agent"],
            elevations: [["sudo", "-u", "root"]: .init(status: 1, text: "sudo: a password is required")],
            statuses: [2: ["/a", "/b  c"].map { ProfileStatus(profile: $0, generation: nil, activation: nil) }])
        #expect(try query.parse(text) == expected)
    }

    @Test func tooFewProfilesAreNone() throws {
        let facts = try query.parse("m system Linux x86_64\nm status 2 {\"profile\":\"/a\"}\nm end\n")
        #expect(facts.statuses == [:])
    }

    @Test func unchangedIsOnlyWhatIsCertain() throws {
        let path = PlannedProfile.sample.path
        let generation = Generation(number: 7, path: path)
        let done = ProfileStatus.Activation(
            state: .committed, nonce: nil, closure: path, deployer: "a@b", startedAt: 0, previous: nil,
            report: VerdictReport(.committed, generation: generation), isGuarded: false, secondsLeft: nil)
        let certain = ProfileStatus(profile: "/p", generation: generation, activation: done)
        #expect(unchanged(certain) == generation)
        let changes: [(inout ProfileStatus) -> Void] = [
            { $0.activation = nil }, { $0.generation = nil }, { $0.generation?.number = 8 },
            { $0.generation?.path = "/nix/store/y" }, { $0.activation?.state = .left },
            { $0.activation?.closure = "/nix/store/y" }, { $0.activation?.isForBoot = true },
            { $0.activation?.report = nil },
            { $0.holder = LockHolder(deployer: "c@d", since: 0, closure: path) },
        ]
        for change in changes {
            var status = certain
            change(&status)
            #expect(unchanged(status) == nil, "\(status)")
        }
    }

    private func unchanged(_ status: ProfileStatus) -> Generation? {
        let profile = PlannedProfile.sample
        let plan = PlannedNode(name: profile.node, hostname: "h", profiles: [profile])
        return ReadyNode(plan: plan, connections: [:], statuses: [profile.name: status]).unchanged(profile)
    }

    @Test(arguments: ["", "This account is not available.\n", "m system Linux x86_64\n", "m elevation 99999999999 0\n"])
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
        var facts = self.query
        facts.loginEnd = query
        let result = try await LocalCommand(facts.words).run()
        #expect(result.exit == .code(0))
        #expect(result.errorOutput == [])
        // Where `loginctl` speaks, and a value has blanks.
        let script =
            "grep() { :; }; loginctl() { echo KillUserProcesses=yes; echo KillOnlyUsers=deploy x; }\n"
            + "say() { echo m \"$*\"; }\n"
            + query.question.replacing("[ -d /run/systemd/system ]", with: "true")
            .replacing("command -v timeout", with: "false")
        let told = try await LocalCommand(["sh", "-c", script]).run().text
        #expect(told.hasPrefix("m KillUserProcesses=yes\nm KillOnlyUsers=deploy x\nm linger a b "), "\(told)")
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
