import Shared
import Testing

@testable import Deployer

/// Where the time went, from the events of a run.
struct TimingsTests {
    private let web1 = NodeName("web1")
    private let system = ProfileName("system")

    /// Two nodes; the second is never reached.
    private func model(_ nodes: [String] = ["web1", "web2"]) -> ProgressModel {
        var model = ProgressModel()
        let evaluation = Activity(.evaluation)
        let build = Activity(.build)
        let connect = Activity(.preflight, node: web1)
        let agent = Activity(.agent, node: web1)
        let copy = Activity(.copy, node: web1)
        let activation = Activity(.activation, node: web1, profile: system)
        let confirmation = Activity(.confirmation, node: web1, profile: system)
        let events: [(Double, ProgressEvent)] = [
            (0, .began(evaluation)), (0.5, .ended(evaluation)), (0.5, .planned(plan(nodes))), (0.5, .began(build)),
            (0.5, .began(connect)), (1, .began(agent)), (1.5, .sent(1 << 20, web1)), (1.75, .ended(agent)),
            (2, .ended(connect)), (4, .ended(build)), (4, .began(copy)), (5, .sent(3 << 20, web1)), (6, .ended(copy)),
            (7, .began(activation)), (9, .ended(activation)), (9, .began(confirmation)),
            (9.25, .settled(result("web1"))),
        ]
        for (time, event) in events { model.apply(event, at: .milliseconds(Int(time * 1000))) }
        return model
    }

    @Test func aTableTellsTheTimeByNodeAndPhase() {
        let timings = Timings(model(), total: .seconds(10))
        #expect(
            TimingsTable(timings: timings).text == """
                NODE  CONNECT   AGENT   COPY  ACTIVATE  CONFIRM   WAIT  TOTAL     SENT
                web1   0.75 s  0.75 s  2.0 s     2.0 s   0.25 s  3.0 s  8.8 s  4.0 MiB
                time: evaluating 0.50 s, building 3.5 s, all in all 10.0 s
                """)
    }

    @Test func aProbeIsNoPartOfTheConfirmationsTime() throws {
        var model = ProgressModel()
        let activities = [Phase.confirmation, .probe].map { Activity($0, node: web1, profile: system) }
        let events: [(Int, ProgressEvent)] = [
            (0, .began(activities[0])), (1, .began(activities[1])), (4, .ended(activities[1])),
            (6, .ended(activities[0])),
        ]
        for (time, event) in events { model.apply(event, at: .seconds(time)) }
        let row = try #require(Timings(model, total: .seconds(6)).nodes.first)
        #expect(row.time(of: .confirmation) == .seconds(3) && row.time(of: .probe) == .seconds(3))
    }

    /// What is looked at after a rollback lies in the rollback, and that in the confirmation.
    @Test func aMomentOnANodeIsCountedOnce() throws {
        var model = ProgressModel()
        let phases = [Phase.confirmation, .rollback, .verification]
        let activities = phases.map { Activity($0, node: web1, profile: system) }
        for (second, activity) in activities.enumerated() { model.apply(.began(activity), at: .seconds(second)) }
        for activity in activities.reversed() { model.apply(.ended(activity), at: .seconds(30)) }
        let row = try #require(Timings(model, total: .seconds(30)).nodes.first)
        #expect(phases.map { row.time(of: $0) } == [.seconds(1), .seconds(1), .seconds(28)])
    }

    @Test(arguments: Phase.allCases)
    func everyPhaseHasAColorOfItsOwn(phase: Phase) {
        #expect(TimingsStyle.text.contains(".\(phase.rawValue) { background: #"))
    }

    /// Nodes are looked at before the plan is known.
    @Test func nodesStandInThePlansOrder() {
        var model = ProgressModel()
        for name in ["web3", "web1"] {
            model.apply(.began(Activity(.preflight, node: NodeName(name))), at: .zero)
        }
        model.apply(.planned(plan(["web1", "web2", "web3"])), at: .seconds(1))
        model.apply(.ended(Activity(.preflight, node: NodeName("web3"))), at: .seconds(2))
        model.apply(.ended(Activity(.preflight, node: NodeName("web1"))), at: .seconds(3))
        #expect(model.nodes.map(\.name.text) == ["web1", "web2", "web3"])
        let rows = Timings(model, total: .seconds(4)).nodes
        #expect(rows.map(\.name) == ["web1", "web3"])
        #expect(rows.map(\.length) == [.seconds(3), .seconds(2)])
    }

    @Test func whatLastsAtTheEndIsCountedUpToIt() {
        var model = ProgressModel()
        model.apply(.began(Activity(.evaluation)), at: .seconds(1))
        let timings = Timings(model, total: .seconds(4))
        #expect(TimingsTable(timings: timings).text == "time: evaluating 3.0 s, all in all 4.0 s")
    }

    @Test func aPageHasATimelineAndATableAndNeedsNothingElse() {
        let page = TimingsPage(timings: Timings(model(), total: .seconds(10)), title: "deploy .").text
        #expect(page.contains("left:40.00%;width:20.00%;top:0.0rem"))
        #expect(page.contains("title=\"system: activating, 2.0 s\""))
        // The agent is sent while the connection is looked at: below it.
        #expect(page.contains("left:10.00%;width:7.50%;top:1.4rem"))
        let row = "<tr><th scope=\"row\">web1</th><td>system</td><td>confirming</td><td class=\"number\">9.0 s</td>"
        #expect(page.contains(row + "<td class=\"number\">0.25 s</td><td class=\"number\"></td></tr>"))
        for word in ["http://", "https://", "<script", "src=", "url(", "@import"] { #expect(!page.contains(word)) }
        for part in ["<html lang=", "<main>", "<caption>", "scope=\"col\"", "aria-label="] {
            #expect(page.contains(part))
        }
    }

    @Test func aNameCannotBecomeMarkup() {
        let name = "<img src=x onerror='a'>&\"\u{1b}[2J"
        var model = model([name])
        model.apply(.began(Activity(.copy, node: NodeName(name))), at: .seconds(9))
        let page = TimingsPage(timings: Timings(model, total: .seconds(10)), title: name).text
        #expect(!page.contains("<img") && !page.contains("\u{1b}"))
        #expect(page.contains("&lt;img src=x onerror=&#39;a&#39;&gt;&amp;&quot;\\u{1b}[2J"))
    }

    @Test(arguments: [
        (Duration.milliseconds(4), "0 ms"), (.seconds(1), "0 ms"), (.seconds(37), "0 s"), (.seconds(7200), "0 min"),
        (.seconds(400_000), "0 min"), (.zero, "0 ms"),
    ])
    func theAxisHasFewLabels(total: Duration, first: String) {
        let scale = TimeScale(total)
        #expect(scale.ticks.count <= 9 && scale.ticks.count >= 2)
        #expect(scale.ticks.first.map(scale.label) == first)
        #expect(scale.percent(total) == (total == .zero ? "0.00" : "100.00"))
    }

    @Test func theSummaryTellsWhereEachProfileWentAndHowLongItTook() {
        var model = model(["web1", "日本"])
        let activity = Activity(.activation, node: web1, profile: system)
        model.apply(.started(activity, previous: Generation(number: 1, path: "/nix/store/old")), at: .seconds(9))
        let results = [
            result("web1"), ProfileResult(profile: plannedProfile("日本"), outcome: .notStarted, tail: OutputTail()),
        ]
        #expect(
            Summary(results: results, progress: model).text == """
                NODE  PROFILE  GENERATION  VERDICT      TIME
                web1  system   1 -> 2      deployed     2.3 s
                日本  system   as before   not started  -
                """)
    }

    @Test func aRolledBackProfileIsWhereItWas() {
        var model = model()
        let old = Generation(number: 1, path: "/nix/store/old")
        model.apply(.started(Activity(.activation, node: web1, profile: system), previous: old), at: .seconds(9))
        let report = VerdictReport(.rolledBack, generation: old, reason: "x")
        let rolledBack = ProfileResult(
            profile: plannedProfile("web1"), outcome: .ended(report, nonce: "00"), tail: OutputTail())
        #expect(
            Summary(results: [rolledBack], progress: model).text.hasSuffix(
                "web1  system   1           rolled back  2.3 s"))
    }
}
