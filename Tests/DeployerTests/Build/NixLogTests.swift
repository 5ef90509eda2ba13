import Foundation
import Testing

@testable import Deployer

/// The records of real Nix programs: `ok` and `bad` are `nix build`, `legacy-bad` is `nix-build`.
struct NixLogTests {
    private static let folder = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Samples/nix")
        .standardized

    private func records(_ name: String) throws -> [String] {
        try String(contentsOf: Self.folder.appendingPathComponent("\(name).log"), encoding: .utf8)
            .split(separator: "\n").map(String.init)
    }

    /// What a log gives for a recorded run.
    private func replay(_ name: String, _ words: [String] = ["nix", "build"]) throws -> (NixLog, [NixLogLine]) {
        var log = NixLog(words: words)
        let lines = try records(name).flatMap { log.add($0) }
        return (log, lines)
    }

    private func texts(_ lines: [NixLogLine], _ weights: NixLogLine.Weight...) -> [String] {
        lines.filter { weights.contains($0.weight) }.map(\.text)
    }

    @Test(arguments: ["2.8", "2.26", "2.34"])
    func aBuildIsCountedAsNixCountsIt(version: String) throws {
        var log = NixLog(words: ["nix", "build"])
        var seen: [BuildCounts.Count] = []
        var current: [String?] = []
        for record in try records("ok-\(version)") {
            _ = log.add(record)
            if seen.last != log.counts.builds { seen.append(log.counts.builds) }
            if current.last != log.counts.current { current.append(log.counts.current) }
        }
        #expect(seen.last == .init(done: 2, expected: 2, running: 0, failed: 0))
        #expect(seen.contains(.init(done: 1, expected: 2, running: 1, failed: 0)))
        #expect(seen.allSatisfy { $0.expected <= 2 && $0.done <= $0.expected })
        #expect(current == [nil, "hello-a", nil, "hello-b", nil])
    }

    @Test(arguments: ["2.8", "2.26", "2.34"])
    func theLinesAreThoseThatNixWrites(version: String) throws {
        let (_, lines) = try replay("ok-\(version)")
        #expect(texts(lines, .shown) == [])
        let details = texts(lines, .detail)
        #expect(details.filter { $0.hasPrefix("building '/nix/store/") && $0.hasSuffix("-hello-b.drv'...") }.count == 1)
        #expect(details.contains("these 2 derivations will be built:") == (version != "2.8"))
        let builders = ["hello-a> building a", "hello-a> second line of a", "hello-b> building b"]
        #expect(texts(lines, .hidden) == builders)
        for words in [
            ["nix", "build", "-L"], ["nix", "build", "-vL"], ["nix", "build", "-I", "-x", "-Lk"],
            ["nix", "build", "--print-build-logs"],
        ] {
            #expect(texts(try replay("ok-\(version)", words).1, .shown).filter { $0.contains("> ") } == builders)
        }
    }

    @Test(arguments: ["2.8", "2.26", "2.34"])
    func aFailureIsToldWithTheEndOfWhatTheBuilderSaid(version: String) throws {
        let (log, lines) = try replay("bad-\(version)")
        let shown = texts(lines, .failure)
        let error = try #require(shown.first)
        #expect(texts(lines, .shown) == [])
        #expect(error.hasPrefix("error: ") && error.contains("-bad.drv"))
        #expect(shown.filter { $0 == "       > the reason" }.count == 1)
        #expect(shown.contains { $0.hasPrefix("       for full logs, run: nix log /nix/store/") })
        #expect(shown.contains { $0.hasPrefix("error: ") && $0.contains("-needs.drv") })
        #expect(shown.allSatisfy { !$0.contains("\u{1b}") && !$0.contains("\\u{1b}") })
        #expect(log.counts.builds.failed == 1)
    }

    @Test(arguments: ["2.8", "2.26", "2.34"])
    func nixBuildShowsItsBuildersUnlessToldNotTo(version: String) throws {
        for (words, shown) in [(["nix-build"], ["bad> the reason"]), (["nix-build", "-Q"], [])] {
            let lines = try replay("legacy-bad-\(version)", words).1
            #expect(texts(lines, .shown).filter { $0.contains("the reason") } == shown)
            // Its end is in the error all the same.
            #expect(texts(lines, .failure).filter { $0.contains("the reason") } == ["       > the reason"])
        }
    }

    @Test(arguments: ["2.8", "2.26", "2.34"])
    func aCopyIsCounted(version: String) throws {
        let (log, lines) = try replay("copy-\(version)", ["nix", "copy"])
        #expect(texts(lines, .detail).first == "copying 2 paths...")
        #expect(log.counts.builds == .init())
        // 2.8 does not count what it copies.
        if version != "2.8" { #expect(log.counts.copies == .init(done: 2, expected: 2)) }
    }

    @Test(arguments: ["2.8", "2.34"])
    func warningsTracesAndErrorsOfAnEvaluationComeOutAgain(version: String) throws {
        let lines = try replay("eval-\(version)", ["nix", "eval"]).1
        let shown = texts(lines, .shown)
        #expect(shown.first == "trace: hi")
        #expect(!shown.contains { $0.hasPrefix("error:") })
        #expect(texts(lines, .failure).first?.hasPrefix("error:") == true)
        if version == "2.34" { #expect(shown.contains("evaluation warning: w")) }
    }

    @Test(arguments: [
        "warning: plain text", "@nix {\"action\":\"msg\"", "@nix 7", "@nix {\"action\":\"dance\"}", "@nix {}",
        "@nix {\"action\":\"start\"}", "",
    ])
    func whatIsNoKnownRecordComesOutAsItIs(line: String) {
        var log = NixLog(words: ["nix", "build"])
        #expect(log.add(line) == [NixLogLine(.shown, line)])
    }

    @Test func recordsOfOtherVersionsAreIgnored() {
        var log = NixLog(words: ["nix", "build"])
        let records = [
            #"{"action":"start","id":1,"level":9,"text":"x","type":999}"#, #"{"action":"stop","id":77}"#,
            #"{"action":"result","id":1,"type":999,"fields":[{},null]}"#, #"{"action":"result","id":1,"type":105}"#,
            #"{"action":"start","id":2,"level":0,"text":"","type":104}"#,
            #"{"action":"result","id":2,"type":105,"fields":[1]}"#, #"{"action":"start","id":3,"type":105,"level":9}"#,
        ]
        #expect(records.flatMap { log.add("@nix " + $0) } == [])
        #expect(log.counts == BuildCounts())
    }

    @Test func aBuilderCannotDriveTheTerminalOrPretendToBeNix() {
        var log = NixLog(words: ["nix", "build", "-L"])
        _ = log.add(
            #"@nix {"action":"start","id":1,"level":3,"text":"","type":105,"fields":["/nix/store/x-evil.drv"]}"#)
        let line = log.add(#"@nix {"action":"result","id":1,"type":101,"fields":["\u001b[2J\rerror: no\u202e"]}"#)
        #expect(line == [NixLogLine(.shown, "evil> \\u{1b}[2Jerror: no\\u{202e}")])
    }

    @Test func downloadsAndPhasesAreCounted() {
        var log = NixLog(words: ["nix", "build"])
        for record in [
            #"{"action":"start","id":1,"level":0,"text":"","type":102}"#,
            #"{"action":"start","id":2,"level":0,"text":"","type":104}"#,
            #"{"action":"start","id":3,"level":4,"text":"downloading","type":101,"fields":["https://x"]}"#,
            #"{"action":"result","id":1,"type":106,"fields":[101,4096]}"#,
            #"{"action":"result","id":3,"type":105,"fields":[1024,4096,0,0]}"#,
            #"{"action":"start","id":4,"level":3,"text":"","type":105,"fields":["/nix/store/abc-hello-2.12.drv"]}"#,
            #"{"action":"result","id":2,"type":105,"fields":[0,3,1,0]}"#,
            #"{"action":"result","id":4,"type":104,"fields":["buildPhase"]}"#,
        ] { _ = log.add("@nix " + record) }
        #expect(log.counts.bytes == 1024 && log.counts.expectedBytes == 4096)
        #expect(log.counts.current == "hello-2.12 (buildPhase)")
    }
}
