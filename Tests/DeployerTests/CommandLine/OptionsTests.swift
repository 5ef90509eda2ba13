import Shared
import Testing

@testable import Deployer

struct OptionsTests {
    private func options(_ words: String...) throws -> Options { try Options(words) }

    @Test func nothingMeansTheDefaults() throws {
        let options = try options()
        #expect(options.command == .deploy)
        #expect(options.targets.isEmpty)
        #expect(options.rollbackSucceeded)
        #expect(options.limits == Limits())
        #expect(options.overrides == Overrides())
    }

    @Test func everyOptionIsRead() throws {
        let options = try options(
            "-c", "-i", "-d", "--log-dir", "logs", "-k", "-r", "gc", "-s", "--remote-build", "--ssh-user", "u",
            "--profile-user", "p", "--ssh-opts", "-p 22 -o 'a b'", "--fast-connection", "true", "--auto-rollback",
            "false", "--hostname", "h", "--magic-rollback", "false", "--confirm-timeout", "0", "--activation-timeout",
            "65535", "--temp-path", "/t", "--dry-activate", "--rollback-succeeded", "false", "--sudo", "doas -u",
            "--interactive-sudo", "true", "--agent", "closure", "--ssh-transport", "openssh", "--parallel", "3",
            "--on-partial-failure", "warn", "--wait-lock", "60", "--compress", "off",
            "--health-timeout", "1", "--skip-health-checks",
            ".#a.b", "--", "--impure", "-L"
        )
        var expected = try Options([])
        expected.checksigs = true
        expected.isInteractive = true
        expected.debugLogs = true
        expected.logDir = "logs"
        expected.keepResult = true
        expected.resultPath = "gc"
        expected.skipChecks = true
        expected.dryActivate = true
        expected.rollbackSucceeded = false
        expected.agent = "closure"
        expected.transport = .openssh
        expected.compression = .off
        expected.limits.nodes = 3
        expected.waitLock = 60
        expected.targets = [".#a.b"]
        expected.nixArguments = ["--impure", "-L"]
        expected.overrides = Overrides(
            sshUser: "u", profileUser: "p", sshOpts: ["-p", "22", "-o", "a b"], fastConnection: true,
            autoRollback: false, hostnames: ["h"], magicRollback: false, confirmTimeout: 0, activationTimeout: 65535,
            tempPath: "/t", remoteBuild: true, sudo: ["doas", "-u"], interactiveSudo: true, onPartialFailure: .warn,
            healthTimeout: 1, skipsHealthChecks: true,
            choosesAgent: true
        )
        #expect(options == expected)
        #expect(try Options(["--boot"]).boot)
        #expect(try Options(["--local"]).overrides.isLocal)
        #expect(try Options(["--hostname", "a,fd00::1"]).overrides.hostnames == ["a", "fd00::1"])
    }

    @Test(arguments: [
        ["-fFILE"], ["-f", "FILE"], ["-f=FILE"], ["--file", "FILE"], ["--file=FILE"], ["-disfFILE"], ["-disf", "FILE"],
    ])
    func aValueIsAttachedOrFollows(words: [String]) throws {
        #expect(try Options(words).file == "FILE")
    }

    @Test func shortOptionsStandTogether() throws {
        let options = try options("-dis")
        #expect(options.debugLogs && options.isInteractive && options.skipChecks)
    }

    @Test func targetsTakeWordsUpToTheNextOption() throws {
        #expect(try options("--targets", "a", "b#c", "-s", "--", "d").targets == ["a", "b#c"])
        #expect(try options("--targets", "a", "--targets", "b", "--").targets == ["a", "b"])
        #expect(try options("--targets=a").targets == ["a"])
    }

    @Test func valuesMayLookLikeOptionsWhereTheyDoInDeployRs() throws {
        #expect(try options("--ssh-opts", "-p 2222").overrides.sshOpts == ["-p", "2222"])
        #expect(try options("--ssh-opts=-p 2222").overrides.sshOpts == ["-p", "2222"])
        #expect(try options("--ssh-opts", "").overrides.sshOpts == [])
        #expect(try options("--sudo=-x").overrides.sudo == ["-x"])
    }

    @Test func theHistoryIsStatussAlone() throws {
        #expect(try options("status", "--history", "5").history == 5)
        #expect(throws: UsageError.clash("--history", "deploy")) { try options("--history", "5") }
        #expect(throws: UsageError.clash("status", "--wait-lock")) { try options("status", "--wait-lock", "5") }
    }

    @Test func statusIsACommandOnlyAsTheFirstWord() throws {
        #expect(try options("status", ".#web1").command == .status)
        #expect(try options("status").targets == [])
        #expect(try options("./status").command == .deploy)
        #expect(try options("-s", "status").targets == ["status"])
    }

    @Test func helpAndVersionWinOverWhatFollows() throws {
        #expect(try options("-h", "--nonsense").command == .help)
        #expect(try options("-dV", "--nonsense").command == .version)
        #expect(try options("--", "-h").command == .deploy)
    }

    @Test(arguments: [
        (["--dry-activat"], UsageError.unknownOption("--dry-activat", nearest: "dry-activate")),
        (["--frobnicate"], .unknownOption("--frobnicate", nearest: nil)),
        (["-x"], .unknownOption("-x", nearest: nil)),
        (["-hostname", "x"], .unknownOption("-o", nearest: "hostname")),
        (["--hostname"], .missingValue("--hostname", found: nil)),
        (["--hostname", "--", "x"], .missingValue("--hostname", found: nil)),
        (["--hostname", "-i"], .missingValue("--hostname", found: "-i")),
        (["--targets", "-i"], .missingValue("--targets", found: "-i")),
        (["--boot=true"], .unexpectedValue("--boot")),
        (["-i=x"], .unexpectedValue("--interactive")),
        (["--hostname", "a", "--hostname", "b"], .repeated("--hostname")),
        (["--hostname="], .invalidValue("--hostname", "", expected: "something that is not empty")),
        (["--magic-rollback", "yes"], .invalidValue("--magic-rollback", "yes", expected: "true or false")),
        (
            ["--confirm-timeout", "65536"],
            .invalidValue("--confirm-timeout", "65536", expected: "an integer from 0 to 65535")
        ),
        (
            ["--health-timeout", "0"],
            .invalidValue("--health-timeout", "0", expected: "an integer from 1 to 65535")
        ),
        (
            ["--activation-timeout", "1.5"],
            .invalidValue("--activation-timeout", "1.5", expected: "an integer from 0 to 65535")
        ),
        (["--parallel", "0"], .invalidValue("--parallel", "0", expected: "an integer from 1 to 1000")),
        (["--temp-path", "tmp"], .invalidValue("--temp-path", "tmp", expected: "an absolute path")),
        (["--ssh-opts", "-o 'a"], .invalidValue("--ssh-opts", "-o 'a", expected: "words with quotes that end")),
        (["--sudo", " "], .invalidValue("--sudo", " ", expected: "a command")),
        (
            ["--ssh-transport", "ssh"],
            .invalidValue("--ssh-transport", "ssh", expected: "automatic, libssh2, openssh")
        ),
        (["--compress", "yes"], .invalidValue("--compress", "yes", expected: "auto, on, off")),
        (["--dry-activate", "--boot"], .clash("--dry-activate", "--boot")),
        (["--local", "--hostname", "a"], .clash("--local", "--hostname")),
        (["--hostname", "a,"], .invalidValue("--hostname", "a,", expected: "host names with commas between them")),
        ([".", "--targets", "a"], .clash("target", "--targets")),
        (["--targets", "a", "-s", "b"], .clash("target", "--targets")),
        (["a", "b"], .extraTarget("b")),
        (["status", "--boot"], .clash("status", "--boot")),
        (["--timings="], .invalidValue("--timings", "", expected: "a file name")),
        (["--timings", "--timings=a"], .repeated("--timings")),
        (["--json=1"], .unexpectedValue("--json")),
    ])
    func whatCannotBeMeantIsRefused(words: [String], expected: UsageError) {
        #expect(throws: expected) { try Options(words) }
    }

    @Test(
        arguments: [
            (["--timings"], .table, []), (["--timings", ".#web1"], .table, [".#web1"]),
            (["--timings=out", ".#web1"], .page("out"), [".#web1"]),
            (["--timings", "out.html"], .page("out.html"), []),
            (["--timings", "out.html", "."], .page("out.html"), ["."]), (["--timings", "--boot"], .table, []),
            (["a", "--timings"], .table, ["a"]), ([], .none, []),
        ] as [([String], Options.Timing, [String])])
    func timingsTakesAFileOrNone(words: [String], timings: Options.Timing, targets: [String]) throws {
        let options = try Options(words)
        #expect(options.timings == timings)
        #expect(options.targets == targets)
    }

    @Test func theHelpNamesEveryOptionAndExitCodeAndFitsAScreen() {
        for option in OptionName.allCases { #expect(Options.help.contains(option.long)) }
        for line in Options.help.split(separator: "\n") { #expect(line.count <= 118) }
        #expect(Options.help.contains("  130  interrupted"))
    }

    @Test func oneParagraphOfTheHelpExplainsTheLimitsAndTheBarrier() throws {
        let paragraphs = Options.help.split(separator: /\n\s*\n/).map {
            $0.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        let paragraph = try #require(paragraphs.first { $0.hasPrefix("Nodes go side by side:") })
        let limits = Limits()
        for part in [
            "at most \(limits.logins) are looked at, --parallel copied to and --parallel activated at a time",
            "Nothing is activated anywhere before every check, build and copy has succeeded",
            "with --no-barrier no node waits for another", "The profiles of a node go in order",
        ] {
            #expect(paragraph.contains(part), "\(paragraph)")
        }
        #expect(Options.help.contains("at a time (\(limits.nodes))"))
        #expect(Options.help.contains("flakes evaluated at a time (\(limits.evaluations))"))
    }

    @Test func everyLimitHasItsOption() throws {
        let limits = try options("--parallel", "3", "--max-copies", "4", "--max-jobs-eval", "5").limits
        #expect([limits.copies, limits.activations, limits.evaluations] == [4, 3, 5])
        #expect(try options("--max-activations", "6").limits.activations == 6)
        #expect(throws: UsageError.self) { try options("--max-jobs-eval", "0") }
    }
}

@Test(
    arguments: [
        ("", []), ("  ", []), ("a b\tc\n", ["a", "b", "c"]), ("'a b' c", ["a b", "c"]),
        (#""a \"b\" \c" d"#, [#"a "b" \c"#, "d"]),
        (#"a\ b"#, ["a b"]), ("''", [""]), ("a''b", ["ab"]), ("$x *", ["$x", "*"]), ("'", nil), ("\"a", nil),
        ("a\\", nil),
        ("\"\\", nil),
    ] as [(String, [String]?)])
func splitsWordsAsAShellDoes(text: String, expected: [String]?) {
    #expect(shellWords(text) == expected)
}

@Test(
    arguments: [
        ("hostName", "hostname"), ("hostnam", "hostname"), ("hsotname", "hostname"), ("SSHUser", "sshUser"),
        ("xyz", nil),
        ("", nil), ("uer", "user"),
    ] as [(String, String?)])
func findsTheNearestName(name: String, expected: String?) {
    #expect(nearest(to: name, among: ["hostname", "sshUser", "user", "sudo"]) == expected)
}
