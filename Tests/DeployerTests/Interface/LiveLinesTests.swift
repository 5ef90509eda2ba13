import Shared
import Testing

@testable import Deployer

/// What is shown of a run at one moment.
struct LiveLinesTests {
    private func lines(
        _ model: ProgressModel, at seconds: Int, columns: Int = 80, rows: Int = 24
    ) -> [String] {
        LiveLines(model: model, now: .seconds(seconds), size: ScreenSize(columns: columns, rows: rows)).lines
    }

    /// A model after these events, each with its second.
    private func model(_ nodes: [String], _ events: (Int, ProgressEvent)...) -> ProgressModel {
        var model = ProgressModel()
        model.apply(.planned(plan(nodes)), at: .zero)
        for (second, event) in events { model.apply(event, at: .seconds(second)) }
        return model
    }

    @Test func beforeAndAfterTheRunThereIsNothing() {
        #expect(lines(ProgressModel(), at: 0) == [])
        let ended = model(
            ["web1"], (0, .began(Activity(.preflight, node: NodeName("web1")))),
            (1, .ended(Activity(.preflight, node: NodeName("web1")))), (1, .settled(result("web1"))))
        #expect(lines(ended, at: 2) == [])
    }

    @Test func evaluationAndBuildCountWhatNixCounts() {
        var model = ProgressModel()
        model.apply(.began(Activity(.evaluation)), at: .zero)
        // It stands still unless there is news.
        #expect(lines(model, at: 7) == ["deploy  evaluating"])
        var found = BuildCounts()
        found.nodes = .init(done: 2, expected: 8)
        found.builds = .init(done: 1, expected: 3, running: 1)
        found.bytes = 2 << 20
        model.apply(.counted(found, Activity(.evaluation)), at: .seconds(8))
        #expect(lines(model, at: 8) == ["deploy  evaluating, 2 of 8 nodes, 1 of 3 built, 1 running, 2.0 MiB"])
        model.apply(.ended(Activity(.evaluation)), at: .seconds(8))
        model.apply(.began(Activity(.build)), at: .seconds(8))
        var counts = BuildCounts()
        counts.builds = .init(done: 3, expected: 12, running: 2, failed: 0)
        counts.copies = .init(done: 1, expected: 40)
        counts.bytes = 15 << 20
        counts.expectedBytes = 80 << 20
        counts.current = "hello-2.12"
        model.apply(.counted(counts, Activity(.build)), at: .seconds(9))
        let text = "deploy  building, 3 of 12 built, 2 running, 1 of 40 fetched, 15.0 MiB of 80.0 MiB, hello-2.12, 12 s"
        #expect(lines(model, at: 20, columns: 120) == [text])
    }

    @Test func aNodeShowsItsPhaseItsProfileAndTheTimeLeft() {
        let web1 = NodeName("web1")
        let system = ProfileName("system")
        var model = model(["web1"], (0, .began(Activity(.preflight, node: web1))))
        #expect(lines(model, at: 1) == ["web1  connecting, 1 s"])
        model.apply(.ended(Activity(.preflight, node: web1)), at: .seconds(1))
        #expect(lines(model, at: 1) == ["web1  ready, waiting for other nodes"])
        model.apply(.began(Activity(.copy, node: web1)), at: .seconds(1))
        for second in 1...5 { model.apply(.sent(10 << 20, web1), at: .seconds(second)) }
        #expect(lines(model, at: 5) == ["web1  copying, 50.0 MiB, 10.0 MiB/s, 4 s"])
        #expect(lines(model, at: 9) == ["web1  copying, 50.0 MiB, 0 B/s, 8 s"])
        model.apply(.ended(Activity(.copy, node: web1)), at: .seconds(5))
        model.apply(.began(Activity(.activation, node: web1, profile: system)), at: .seconds(6))
        #expect(lines(model, at: 9) == ["web1  system: activating, 3 s"])
        model.apply(.ended(Activity(.activation, node: web1, profile: system)), at: .seconds(9))
        model.apply(.awaiting(Activity(.activation, node: web1, profile: system), seconds: 30), at: .seconds(9))
        model.apply(.began(Activity(.confirmation, node: web1, profile: system)), at: .seconds(9))
        #expect(lines(model, at: 14) == ["web1  system: confirming, the node rolls back in 25 s, 5 s"])
        #expect(lines(model, at: 40) == ["web1  system: confirming, past its time, 31 s"])
        model.apply(.began(Activity(.rollback, node: web1, profile: system)), at: .seconds(40))
        #expect(lines(model, at: 41) == ["web1  system: rolling back, 1 s"])
        model.apply(.settled(result("web1")), at: .seconds(42))
        #expect(lines(model, at: 42) == [])
        #expect(model.profile(web1, system)?.time == .seconds(36))
        #expect(model.ended.map(\.activity.phase) == [.preflight, .copy, .activation, .rollback, .confirmation])
    }

    @Test func finishedNodesAreCountedAndNotShown() {
        let model = model(
            ["web1", "web2", "web3"], (0, .began(Activity(.copy, node: NodeName("web1")))),
            (0, .began(Activity(.activation, node: NodeName("web2"), profile: ProfileName("system")))),
            (1, .settled(result("web2"))))
        #expect(lines(model, at: 1) == ["web1    copying, 1 s", "deploy  1 of 3 nodes done, 1 waiting"])
    }

    /// Why is told in a line of its own.
    @Test func aNodeThatCannotBeMadeReadyIsCountedAndNotShown() {
        let (web1, web2) = (NodeName("web1"), NodeName("web2"))
        var model = model(
            ["web1", "web2"], (0, .began(Activity(.preflight, node: web1))),
            (0, .began(Activity(.preflight, node: web2))), (1, .ended(Activity(.preflight, node: web1))),
            (1, .ended(Activity(.preflight, node: web2))), (1, .failed(web1, SimulatedFailure())))
        let expected = [
            "web2    ready, waiting for other nodes", "deploy  0 of 2 nodes done, 1 could not be made ready",
        ]
        #expect(lines(model, at: 1) == expected)
        model.apply(.settled(result("web1")), at: .seconds(2))
        #expect(lines(model, at: 2) == expected)
        // Somewhere else, by the same name.
        model.apply(.began(Activity(.preflight, node: web1)), at: .seconds(3))
        #expect(lines(model, at: 3).first == "web1  connecting, 0 s")
    }

    @Test func moreNodesThanLinesShowTheBusiestAndACount() {
        let names = (1...50).map { "n\($0)" }
        var model = model(names)
        for name in names { model.apply(.began(Activity(.copy, node: NodeName(name))), at: .zero) }
        let confirming = Activity(.confirmation, node: NodeName("n40"), profile: ProfileName("system"))
        model.apply(.began(confirming), at: .zero)
        let rollback = Activity(.rollback, node: NodeName("n50"), profile: ProfileName("system"))
        model.apply(.began(rollback), at: .zero)
        model.apply(.began(Activity(.build)), at: .zero)
        #expect(
            lines(model, at: 1, rows: 8) == [
                "deploy  building, 1 s", "n1      copying, 1 s", "n2      copying, 1 s",
                "n40     system: confirming, 1 s",
                "n50     system: rolling back, 1 s", "deploy  0 of 50 nodes done, 46 more copying",
            ])
        for rows in 1...60 { #expect(lines(model, at: 1, rows: rows).count <= max(0, rows - 2)) }
    }

    @Test(arguments: [5, 11, 20, 40, 79])
    func noLineIsAsWideAsTheTerminal(columns: Int) {
        let names = [
            "日本語のサーバー名前", "e\u{301}clair", "evil\u{1b}[2J\r\n\u{202e}web1: deployed",
            String(repeating: "x", count: 200),
        ]
        var model = model(names)
        for name in names { model.apply(.began(Activity(.copy, node: NodeName(name))), at: .zero) }
        for line in lines(model, at: 3, columns: columns) {
            #expect(displayWidth(line) < columns)
            #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202e })
        }
        #expect(lines(model, at: 3, columns: columns).isEmpty == (columns < 11))
    }
}

/// A plan with the profile `system` on each of these nodes.
func plan(_ nodes: [String], profiles: [String] = ["system"]) -> Plan {
    Plan(
        nodes: nodes.map { node in
            PlannedNode(name: NodeName(node), hostname: node, profiles: profiles.map { plannedProfile(node, $0) })
        })
}

func plannedProfile(_ node: String, _ name: String = "system") -> PlannedProfile {
    PlannedProfile(
        node: NodeName(node), name: ProfileName(name), path: "/nix/store/new", derivations: [],
        destination: Destination(host: node, user: "root", options: []), user: "root",
        location: .named(user: "root", name: name), elevation: [], interactiveSudo: false, fastConnection: false,
        autoRollback: true, magicRollback: true, remoteBuild: false, tempPath: nil, confirmTimeout: 30,
        activationTimeout: nil)
}

/// The result of a profile that is now on generation 2.
func result(_ node: String, _ name: String = "system", _ verdict: Verdict = .committed, reason: String? = nil)
    -> ProfileResult
{
    let report = VerdictReport(verdict, generation: Generation(number: 2, path: "/nix/store/new"), reason: reason)
    return ProfileResult(profile: plannedProfile(node, name), outcome: .ended(report, nonce: "00"), tail: OutputTail())
}
