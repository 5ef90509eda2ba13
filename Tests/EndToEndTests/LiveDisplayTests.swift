import Foundation
import Glibc
import Shared
import TestSupport
import Testing

/// What a person at a terminal sees of a deploy.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct LiveDisplayTests {
    /// A fresh node and a flake whose activation writes two lines and then waits for ``Script/release``.
    private func withHeld(_ work: (Lab, Node, Fixture) async throws -> Void) async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab).write([
                .init(activation: "echo step one; echo step two; \(Script.hold); echo step three")
            ])
            try await work(lab, node, fixture)
        }
    }

    private func count(_ screen: Screen, _ part: String) -> Int { screen.lines.count { $0.contains(part) } }

    @Test func aLiveLineShowsTheNodeAndGoesAwayWithIt() async throws {
        try await withHeld { lab, node, fixture in
            let terminal = try lab.watch([fixture.flake])
            try await node.waits(for: Script.isHeld)
            try await terminal.says("web1  system: activating, ")
            let during = terminal.screen
            #expect(during.lines.last?.hasPrefix("web1  system: activating") == true, "\(during.text)")
            try await node.shell(Script.release)
            #expect(await terminal.exit() == .code(0))
            let screen = terminal.screen
            for phase in ["evaluating", "building", "connecting", "activating"] { #expect(count(screen, phase) == 0) }
            for step in ["one", "two", "three"] { #expect(count(screen, "web1: system: step \(step)") == 1) }
            #expect(count(screen, "deployed and confirmed on generation 1") == 1)
            let table = screen.lines.suffix(2).map { $0.split(separator: " ").prefix(6).joined(separator: " ") }
            #expect(table.first == "NODE PROFILE GENERATION VERDICT TIME", "\(screen.text)")
            #expect(table.last?.hasPrefix("web1 system none -> 1") == true, "\(screen.text)")
            #expect(screen.unknown == [])
            #expect(terminal.isWhole)
        }
    }

    /// Three megabytes over a link that takes one a second, and a probe that succeeds once we have looked.
    @Test func aCopyShowsItsBytesAndItsRateAndAConfirmationTheTimeLeft() async throws {
        try await Scene.with { scene in
            // The agent is there from now on.
            try await scene.deployed("one")
            try await scene.lab.tool("rate", "web1", "8")
            let make = "/bin/mkdir $out && /usr/bin/head -c 3000000 /dev/urandom >$out/content"
            let builder = #"builder = "/bin/sh"; args = [ "-c" "\#(make)" ];"#
            let large = #"activate.noop (derivation { inherit system; name = "large"; \#(builder) })"#
            let go = "\(scene.lab.folder)/go"
            let probe = "probe = \(nixString("until [ -e \(go) ]; do sleep 0.05; done"));"
            try scene.fixture.write([.init(extra: probe, path: large)])
            let terminal = try scene.lab.watch([scene.fixture.flake])
            let copying = /web1  copying, [0-9.]+ [KM]iB, [0-9.]+ [KM]iB\/s, \d+ s/
            try await terminal.shows("a copy's bytes and rate") {
                terminal.screen.lines.contains { $0.wholeMatch(of: copying) != nil }
            }
            let waiting = /web1  system: .*, the node rolls back in [1-3]?\d s, \d+ s/
            try await terminal.shows("the time left") {
                terminal.screen.lines.contains { $0.wholeMatch(of: waiting) != nil }
            }
            #expect(FileManager.default.createFile(atPath: go, contents: nil))
            #expect(await terminal.exit() == .code(0), "\(terminal.screen.text)")
        }
    }

    @Test func aTerminalThatBecomesNarrowerKeepsItsLines() async throws {
        try await withHeld { lab, node, fixture in
            let terminal = try lab.watch([fixture.flake], columns: 100)
            try await terminal.says("web1  system: activating, ")
            terminal.resize(columns: 20)
            try await terminal.says("web1  system: act..")
            terminal.resize(columns: 90)
            try await node.shell(Script.release)
            #expect(await terminal.exit() == .code(0))
            let screen = terminal.screen
            for step in ["one", "two", "three"] { #expect(count(screen, "web1: system: step \(step)") == 1) }
            #expect(count(screen, "act..") == 0 && count(screen, "activating") == 0, "\(screen.text)")
        }
    }

    @Test(arguments: [["TERM": "dumb"], ["NO_COLOR": "1"], ["CI": "true"], ["TERM": ""]])
    func whoWantsPlainLinesGetsThem(environment: [String: String]) async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab).write([.init()])
            let terminal = try lab.watch([fixture.flake], environment: environment)
            #expect(await terminal.exit() == .code(0))
            let text = terminal.text
            #expect(!text.contains("\u{1b}[K") && !text.contains("\u{1b}[1A"))
            for part in ["evaluating", "building 1 profile", "copying 1 closure"] {
                #expect(text.contains(part), "\(text)")
            }
            #expect(text.contains("profile \"system\": activating"))
        }
    }

    @Test func aPipeGetsPlainLinesAndNoEscapeSequences() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab).write([.init()])
            let result = try await lab.deploy(
                [fixture.flake], environment: ["TERM": "xterm", "CI": "", "NO_COLOR": ""])
            expect(result, is: .done, says: "deploy: info: evaluating", "web1: info: copying 1 closure")
            #expect(!result.errorText.contains("\u{1b}") && result.text.isEmpty)
        }
    }

    @Test func aNodeCannotDriveTheTerminalOrForgeItsLines() async throws {
        try await Lab.withNode { lab, node in
            let evil =
                #"printf '\033[2J\033[Hdeploy: error: forged\r\033]0;title\007\n'; printf '日本語 \342\200\256live\n'"#
            let fixture = try Fixture(in: lab).write([.init(activation: "\(evil); \(Script.hold)")])
            let terminal = try lab.watch([fixture.flake])
            try await node.waits(for: Script.isHeld)
            try await terminal.says("web1  system: activating, ")
            try await node.shell(Script.release)
            #expect(await terminal.exit() == .code(0))
            let screen = terminal.screen
            #expect(screen.unknown == [])
            #expect(
                screen.lines.contains("web1: system: \\u{1b}[2J\\u{1b}[Hdeploy: error: forged\\u{1b}]0;title\\u{7}"))
            #expect(screen.lines.contains("web1: system: 日本語 \\u{202e}live"), "\(screen.text)")
        }
    }

    @Test func aPasswordIsAskedForWithNothingInItsWay() async throws {
        try await Lab.withNode(options: ["--trust", "admin"]) { lab, _ in
            let fixture = try Fixture(in: lab)
            // The build goes on meanwhile, so that there is something to show.
            let wait = "until [ -e \(lab.folder)/go ]; do echo turn | tee -a \(lab.folder)/turns; sleep 0.05; done"
            let slow = """
                activate.custom (derivation {
                  inherit system; name = "slow"; builder = "/bin/sh"; PATH = "/bin:/usr/bin";
                  args = [ "-c" "mkdir $out; \(wait)" ];
                }) "true"
                """
            let user = "sshUser = \"admin\"; interactiveSudo = true;"
            try fixture.write([.init(extra: user, path: slow)])
            let terminal = try lab.watch([fixture.flake])
            try await terminal.says("Password: ")
            let asked = terminal.text
            // The build has more to tell all the while.
            let turns = turns(lab)
            try await eventually("ten more lines of the build") { self.turns(lab) >= turns + 10 }
            #expect(terminal.text == asked)
            #expect(terminal.screen.lines.last?.hasSuffix("Password:") == true, "\(terminal.screen.text)")
            terminal.type("correct horse\n")
            try await terminal.shows("the build again") {
                terminal.screen.lines.contains { $0.hasPrefix("deploy  building, 0 of 2 built, 1 running, ") }
            }
            #expect(FileManager.default.createFile(atPath: "\(lab.folder)/go", contents: nil))
            #expect(await terminal.exit() == .code(0), "\(terminal.screen.text)")
            #expect(terminal.isWhole && !terminal.text.contains("correct horse"))
        }
    }

    /// How many lines the build has written; none before it begins.
    private func turns(_ lab: Lab) -> Int {
        (try? String(contentsOfFile: "\(lab.folder)/turns", encoding: .utf8))?.split(separator: "\n").count ?? 0
    }

    @Test func anInterruptedDeployLeavesTheTerminalWhole() async throws {
        try await withHeld { lab, node, fixture in
            let terminal = try lab.watch([fixture.flake, "--confirm-timeout", "5"])
            try await terminal.says("web1  system: activating, ")
            terminal.type("\u{3}")
            try await terminal.says("interrupted: nothing new starts")
            terminal.type("\u{3}")
            #expect(await terminal.exit() == .code(ExitCode.interrupted.rawValue))
            #expect(count(terminal.screen, "activating,") == 0, "\(terminal.screen.text)")
            #expect(terminal.isWhole)
            try await node.shell(Script.release)
        }
    }

    @Test func aKilledDeployLeavesTheTerminalWhole() async throws {
        try await withHeld { lab, node, fixture in
            let terminal = try lab.watch([fixture.flake, "--confirm-timeout", "5"])
            try await terminal.says("web1  system: activating, ")
            terminal.signal(SIGKILL)
            _ = await terminal.exit()
            #expect(terminal.isWhole)
            try await node.shell(Script.release)
        }
    }
}
