import Testing

@testable import Deployer

/// What is kept of a program's error output, and what of it comes out at once.
struct LineRelayTests {
    private func relay(_ text: String, hasFailed: Bool) -> (shown: [String], kept: [String]) {
        let log = LineLog()
        let relay = LineRelay { if $0.weight == .shown { log.add($0.text) } }
        relay.add(Array(text.utf8))
        return (log.all, relay.finish(hasFailed: hasFailed))
    }

    @Test func anErrorIsKeptForTheEndAndOnlyThere() {
        let (shown, kept) = relay("warning: w\nerror: no\n  at x\n", hasFailed: true)
        #expect(shown == ["warning: w"])
        #expect(kept == ["error: no", "  at x"])
    }

    @Test func afterASuccessNothingIsLost() {
        let log = LineLog()
        let relay = LineRelay { if $0.weight == .shown { log.add($0.text) } }
        relay.add(Array("error (ignored): no\nerror: never mind\nrest".utf8))
        _ = relay.finish(hasFailed: false)
        #expect(log.all == ["error (ignored): no", "error: never mind", "rest"])
    }

    @Test func withoutAnErrorTheLastLinesAreKept() {
        let lines = (1...30).map { "line \($0)" }
        #expect(relay(lines.joined(separator: "\n"), hasFailed: true).kept == lines.suffix(20))
    }

    @Test func ofALongErrorBothEndsAreKept() {
        let lines = ["error: top"] + (1...2000).map { "frame \($0)" } + ["bottom"]
        let kept = relay(lines.joined(separator: "\n"), hasFailed: true).kept
        #expect(kept.count == 1000 && kept.first == "error: top" && kept.last == "bottom")
    }

    @Test func nixsOwnPrefixGivesWayToOurs() {
        let lines = ["error: no", "error:", "       error: deep", "error (ignored): x", "warning: w"]
        #expect(withoutErrorPrefix(lines) == ["no", "       error: deep", "error (ignored): x", "warning: w"])
    }
}
