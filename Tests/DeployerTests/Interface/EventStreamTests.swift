import Shared
import Testing

@testable import Deployer

/// The lines of `--json`, word for word: programs read them.
struct EventStreamTests {
    private let activity = Activity(.activation, node: NodeName("web1"), profile: ProfileName("system"))

    private func line(_ event: ProgressEvent, _ model: ProgressModel = ProgressModel()) -> String? {
        EventStream().line(event, at: .milliseconds(1234), model)
    }

    @Test func everyEventIsOneObject() {
        #expect(
            line(.began(Activity(.evaluation)))
                == #"{"at":1.234,"event":"phase","phase":"evaluation","schema":1,"state":"began"}"#)
        #expect(
            line(.ended(activity))
                == #"{"at":1.234,"event":"phase","node":"web1","phase":"activation","profile":"system","schema":1,"state":"ended"}"#
        )
        #expect(
            line(.started(activity, previous: Generation(number: 1, path: "/nix/store/old")))
                == #"{"at":1.234,"event":"started","node":"web1","previous":{"number":1,"path":"/nix/store/old"},"profile":"system","schema":1}"#
        )
        #expect(
            line(.awaiting(activity, seconds: 30))
                == #"{"at":1.234,"event":"awaiting","node":"web1","profile":"system","schema":1,"secondsLeft":30}"#)
        #expect(
            line(.planned(plan(["web1"])))
                == #"{"at":1.234,"event":"plan","profiles":[{"host":"web1","node":"web1","path":"/nix/store/new","profile":"system","user":"root"}],"schema":1}"#
        )
    }

    @Test func anOutcomeHasItsVerdictItsGenerationsItsReasonAndItsExitCode() {
        var model = ProgressModel()
        model.apply(.planned(plan(["web1"])), at: .zero)
        model.apply(.began(activity), at: .seconds(1))
        model.apply(.started(activity, previous: Generation(number: 1, path: "/nix/store/old")), at: .seconds(1))
        let failed = result("web1", "system", .stuck, reason: "it \"broke\"\n")
        model.apply(.settled(failed), at: .milliseconds(3500))
        #expect(
            line(.settled(failed), model)
                == #"{"at":1.234,"event":"outcome","exitCode":5,"generation":{"number":2,"path":"/nix/store/new"},"node":"web1","previous":{"number":1,"path":"/nix/store/old"},"profile":"system","reason":"it \"broke\"\n","schema":1,"took":2.5,"verdict":"stuck"}"#
        )
        let notStarted = ProfileResult(profile: plannedProfile("web2"), outcome: .notStarted, tail: OutputTail())
        #expect(
            line(.settled(notStarted))
                == #"{"at":1.234,"event":"outcome","exitCode":1,"node":"web2","profile":"system","schema":1,"verdict":"notStarted"}"#
        )
        for (profile, verdict) in [("system", "locked"), ("other", "notReady")] {
            let holder = LockHolder(deployer: "alice@laptop", since: 0, closure: "/nix/store/abc")
            let failure = StageFailure(
                node: NodeName("web2"), profile: ProfileName(profile), stage: .preflight,
                cause: PreflightError.held(holder))
            let held = ProfileResult(
                profile: plannedProfile("web2"), outcome: .notPrepared(failure), tail: OutputTail())
            let text = line(.settled(held))
            #expect(text?.contains(#""exitCode":8,"#) == true && text?.contains(#""verdict":"\#(verdict)""#) == true)
        }
    }

    @Test func theEndOfACopyTellsHowMuchWasSent() {
        let copy = Activity(.copy, node: NodeName("web1"))
        var model = ProgressModel()
        for event in [ProgressEvent.began(copy), .sent(5000, NodeName("web1")), .ended(copy)] {
            model.apply(event, at: .zero)
        }
        #expect(
            line(.ended(copy), model)
                == #"{"at":1.234,"bytes":5000,"event":"phase","node":"web1","phase":"copy","schema":1,"state":"ended"}"#
        )
    }

    @Test func progressComesOnceASecondForEachActivity() {
        let stream = EventStream()
        let build = Activity(.build)
        var counts = BuildCounts()
        counts.builds = .init(done: 1, expected: 2, running: 1, failed: 0)
        let times = [0, 10, 999, 1000, 1500, 2100]
        let lines = times.compactMap { stream.line(.counted(counts, build), at: .milliseconds($0), ProgressModel()) }
        #expect(lines.count == 3)
        #expect(
            lines[0].contains(
                #""counts":{"building":1,"built":1,"failed":0,"fetched":0,"fetchedBytes":0,"toBuild":2,"toFetch":0}"#))
        var model = ProgressModel()
        model.apply(.began(Activity(.copy, node: NodeName("web1"))), at: .zero)
        model.apply(.sent(1000, NodeName("web1")), at: .zero)
        let sent = stream.line(.sent(1000, NodeName("web1")), at: .zero, model)
        #expect(sent == #"{"at":0,"bytes":1000,"event":"progress","node":"web1","phase":"copy","schema":1}"#)
        #expect(stream.line(.sent(1, NodeName("web1")), at: .milliseconds(10), model) == nil)
    }
}
