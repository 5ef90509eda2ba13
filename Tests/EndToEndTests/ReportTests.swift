import Foundation
import Shared
import Testing

/// What is left of a deploy for those who did not watch: logs, times and events.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct ReportTests {
    private struct Event: Decodable {
        struct Generation: Decodable { var number: Int? }
        var schema: Int
        var event: String
        var node: String?
        var profile: String?
        var phase: String?
        var verdict: String?
        var reason: String?
        var exitCode: Int32?
        var generation: Generation?
        var previous: Generation?
        var status: ProfileStatus?
    }

    private func events(_ result: LocalResult) throws -> [Event] {
        try result.text.split(separator: "\n").map { try JSONLine.decode(Event.self, from: $0) }
    }

    /// Nix text of a closure whose builder says this, and then does that.
    private func built(saying words: String, then: String = "true") -> String {
        "activate.custom (derivation { inherit system; name = \"loud\"; builder = \"/bin/sh\"; PATH = \"/bin:/usr/bin\"; "
            + "args = [ \"-c\" \"mkdir $out; echo \(words); \(then)\" ]; }) \"echo activated\""
    }

    @Test func whatBuildersAndActivationsWriteIsInTheLogs() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab).write([.init(path: built(saying: "words of a builder"))])
            let logs = "\(lab.folder)/logs"
            let result = try await lab.deploy([fixture.flake, "--log-dir", logs])
            expect(result, is: .done, says: "web1: system: activated", "building '/nix/store/")
            expect(result, saysNot: "words of a builder")
            let everything = try String(contentsOfFile: "\(logs)/deploy.log", encoding: .utf8)
            #expect(everything.contains("deploy: nix: loud> words of a builder"))
            #expect(everything.contains("web1: system: activated"))
            let node = try String(contentsOfFile: "\(logs)/web1.log", encoding: .utf8)
            #expect(node.contains("web1: system: activated") && !node.contains("loud>"))
        }
    }

    /// Root's agent makes the folder on the node, and the other user's writes there as well.
    @Test func agentsOfTwoUsersLogInOneFolder() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab)
            try fixture.write([.init(), .init(name: "app", user: "app")])
            let logs = "\(lab.folder)/logs"
            let result = try await lab.deploy([fixture.flake, "--log-dir", logs])
            expect(result, is: .done)
            expect(result, saysNot: "no log file")
            let owners = try await node.shell("stat -c %U '\(logs)'/activate_activate_*")
            #expect(Set(owners.split(separator: "\n")) == ["root", "app"])
        }
    }

    @Test func buildersAreHeardWhereThatIsAskedFor() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab).write([.init(path: built(saying: "words of a builder"))])
            let result = try await lab.deploy([fixture.flake, "--", "-L"])
            expect(result, is: .done, says: "deploy: nix: loud> words of a builder")
        }
    }

    @Test func aFailedBuildIsToldWithItsLastWords() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab).write([.init(path: built(saying: "my last words", then: "exit 3"))])
            let result = try await lab.deploy([fixture.flake])
            expect(result, .failed, says: "> my last words", "web1.system could not be built")
        }
    }

    @Test func timingsTellWhereTheTimeWent() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab).write([.init()])
            let page = "\(lab.folder)/times.html"
            let result = try await lab.deploy([fixture.flake, "--timings", page])
            expect(result, is: .done, says: "NODE  CONNECT", "time: evaluating ", ", all in all ")
            let text = try String(contentsOfFile: page, encoding: .utf8)
            for part in ["<th scope=\"row\">web1</th><td>system</td><td>activating</td>", "class=\"bar copy\""] {
                #expect(text.contains(part), "\(text)")
            }
            let nowhere = try await lab.deploy([fixture.flake, "--timings", "\(lab.folder)/no/such/times.html"])
            expect(nowhere, .failed, says: "no/such/times.html", "No such file or directory")
            expect(nowhere, saysNot: "evaluating")
        }
    }

    @Test func eventsAreOneObjectALine() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab).write([.init()])
            let result = try await lab.deploy([fixture.flake, "--json"])
            let events = try events(result)
            #expect(events.allSatisfy { $0.schema == 1 })
            #expect(events.first?.event == "begin" && events.last?.event == "end" && events.last?.exitCode == 0)
            let phases = Set(events.compactMap(\.phase))
            #expect(
                phases.isSuperset(of: [
                    "evaluation", "build", "preflight", "agent", "copy", "activation", "confirmation",
                ]))
            let outcome = try #require(events.last { $0.event == "outcome" })
            #expect(outcome.node == "web1" && outcome.profile == "system" && outcome.verdict == "committed")
            #expect(outcome.exitCode == 0 && outcome.generation?.number == 1 && outcome.previous == nil)
        }
    }

    @Test func theStatusIsAnEventToo() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let words = ["\(Lab.prefix ?? "")/bin/deploy", "status", "--json", scene.fixture.flake]
            let status = try #require(try events(try await scene.lab.run(words)).first { $0.event == "status" })
            #expect(status.node == "web1" && status.profile == "system")
            #expect(status.status?.generation?.number == 1 && status.status?.activation?.state == .committed)
            #expect(status.status?.activation?.nonce == nil)
        }
    }

    @Test func aRollbackIsAnOutcomeWithItsReason() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let result = try await scene.deploy("two", then: "exit 7", ["--json"])
            let events = try events(result)
            let outcome = try #require(events.last { $0.event == "outcome" })
            #expect(outcome.verdict == "rolledBack" && outcome.exitCode == ExitCode.rolledBack.rawValue)
            #expect(outcome.generation?.number == 1 && outcome.previous?.number == 1 && outcome.reason != nil)
            #expect(events.contains { $0.event == "message" })
            #expect(events.last?.exitCode == ExitCode.rolledBack.rawValue)
        }
    }

    /// Nobody reads for a while what it says; the node's deadline passes meanwhile.
    @Test func aDeployThatNobodyReadsGoesOnAllTheSame() async throws {
        try await Lab.withNode { lab, node in
            let loud = "head -c 300000 /dev/zero | tr '\\\\0' x | fold -w 100"
            let fixture = try Fixture(in: lab).write([.init(activation: "\(loud); \(Script.hold)")])
            let words = lab.deployWords(["--skip-checks", fixture.flake])
            let quoted = words.map { shellQuoted($0) }.joined(separator: " ")
            // `cat` waits for the node's verdict before it reads the first line.
            let verdict = "\(lab.folder)/verdict"
            let script = "\(quoted) 2>&1 | { until [ -e \(verdict) ]; do sleep 0.05; done; cat; }"
            let process = try LocalProcess.start(lab.command(["bash", "-o", "pipefail", "-c", script]))
            try await node.waits(for: Script.isHeld)
            try await node.shell(Script.release)
            try await node.waits(for: "\(Script.has("committed")) || \(Script.has("rolledBack"))")
            #expect(FileManager.default.createFile(atPath: verdict, contents: nil))
            #expect(await process.exit() == .code(0))
            #expect(try await node.shell("\(Script.has("committed")) && echo yes") == "yes")
        }
    }
}
