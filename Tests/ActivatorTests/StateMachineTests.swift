import Shared
import Testing

@testable import Activator

private typealias Event = Activation.Event

private let events: [Event] = [
    .begin, .profileSet, .setFailed("a", linkMoved: false), .setFailed("b", linkMoved: true), .scriptSucceeded,
    .scriptFailed("c"), .healthy, .unhealthy("j"), .canaryMade, .canaryFailed("d"), .confirmed, .expired("e"), .bootSet,
    .bootFailed("i"),
    .commitWritten, .commitFailed("f"), .undone(note: nil), .undone(note: "g"), .undoneInPart(note: "k"),
    .undoFailed("h"), .rebootFailed("l"),
]

private let policies: [Activation.Policy] = [false, true].flatMap { magic in
    [false, true].flatMap { auto in
        [false, true].flatMap { boot in
            [Activation.Kind.wrapped, .system].flatMap { kind in
                [nil, true].flatMap { health in
                    [nil, true].map {
                        Activation.Policy(
                            magicRollback: magic, autoRollback: auto, boot: boot, kind: kind, checksHealth: health,
                            rebootsIfStuck: $0)
                    }
                }
            }
        }
    }
}

private let unfinished: [ProfileStatus.State] = [.staged, .activating, .awaitingConfirmation, .rollingBack]

/// Every machine that any order of events leads to, with the effects on the way there.
private func reachable(_ policy: Activation.Policy) -> [(machine: Activation, event: Event, effect: Activation.Effect?)]
{
    var steps: [(Activation, Event, Activation.Effect?)] = []
    var seen: Set<Activation> = []
    var waiting = [Activation(policy)]
    for state in unfinished {
        for isConfirmed in [false, true] {
            waiting.append(
                Activation.resuming(.init(state: state, isConfirmed: isConfirmed, reason: nil), policy).0)
        }
    }
    while let machine = waiting.popLast() {
        guard seen.insert(machine).inserted else { continue }
        for event in events {
            var next = machine
            let effect = next.handle(event)
            steps.append((machine, event, effect))
            waiting.append(next)
        }
    }
    return steps
}

private func verdict(_ effect: Activation.Effect?) -> Verdict? {
    if case .conclude(let verdict, _, _)? = effect { verdict } else { nil }
}

@Test(arguments: policies)
func noEventLeadsToASecondVerdict(policy: Activation.Policy) {
    for (machine, event, effect) in reachable(policy) {
        var next = machine
        #expect(next.handle(event) == effect)
        if case .ended = machine.phase {
            #expect(effect == nil && next == machine)
        } else if let verdict = verdict(effect) {
            #expect(next.phase == .ended(verdict))
        } else if effect == nil {
            #expect(next == machine, "an event without an effect changes nothing: \(machine.phase) \(event)")
        }
    }
}

@Test(arguments: policies)
func onlyAWrittenCommitCommits(policy: Activation.Policy) {
    for (machine, event, effect) in reachable(policy) where verdict(effect) == .committed {
        #expect(machine.phase == .committing && event == .commitWritten)
    }
}

@Test(arguments: policies)
func everyPhaseHasAWayToItsVerdict(policy: Activation.Policy) {
    for (machine, _, _) in reachable(policy) {
        if case .ended = machine.phase { continue }
        var waiting = [machine]
        var seen: Set<Activation> = []
        var ends = false
        while let machine = waiting.popLast() {
            guard seen.insert(machine).inserted else { continue }
            if case .ended = machine.phase { ends = true }
            for event in events {
                var next = machine
                _ = next.handle(event)
                waiting.append(next)
            }
        }
        #expect(ends, "\(machine.phase)")
    }
}

@Test(arguments: policies)
func aConfirmationCountsOnlyWhileItIsAwaited(policy: Activation.Policy) {
    for (machine, event, effect) in reachable(policy) where event == .confirmed {
        #expect((effect != nil) == (machine.phase == .awaiting), "\(machine.phase)")
        #expect(effect == nil || effect == (policy.setsProfileLast ? .setProfile : .commit))
    }
}

@Test(arguments: policies)
func aFailedScriptIsLeftOnlyWithoutAutoRollback(policy: Activation.Policy) {
    var machine = Activation(policy)
    _ = machine.handle(.begin)
    if !policy.setsProfileLast { _ = machine.handle(.profileSet) }
    let isBoot = policy.kind == .system && policy.boot
    let effect = machine.handle(isBoot ? .bootFailed("x") : .scriptFailed("x"))
    #expect(effect == (policy.autoRollback ? .undo : .conclude(.left, reason: "x")))
}

@Test func bootAndNoMagicRollbackCommitAtOnce() {
    for policy in policies
    where !policy.needsConfirmation && policy.kind == .wrapped && (policy.boot || policy.checksHealth == nil) {
        var machine = Activation(policy)
        #expect(machine.handle(.begin) == .setProfile)
        #expect(machine.handle(.profileSet) == .runScript)
        #expect(machine.handle(.scriptSucceeded) == .commit)
        #expect(machine.handle(.commitWritten) == .conclude(.committed, reason: nil))
    }
}

@Test(arguments: policies)
func whoTakesOverNeverActivates(policy: Activation.Policy) {
    for state in unfinished {
        let remains = Activation.Remains(state: state, isConfirmed: false, reason: nil)
        let (_, effect) = Activation.resuming(remains, policy)
        #expect(effect == .undo || verdict(effect) == .failed || verdict(effect) == .left, "\(state)")
    }
}

@Test func aConfirmationThatWasGivenOutlivesTheGuardian() {
    let policy = Activation.Policy(magicRollback: true, autoRollback: true, boot: false)
    let remains = Activation.Remains(state: .awaitingConfirmation, isConfirmed: true, reason: nil)
    #expect(Activation.resuming(remains, policy).1 == .commit)
    let system = Activation.Policy(magicRollback: true, autoRollback: true, boot: false, kind: .system)
    #expect(Activation.resuming(remains, system).1 == .setProfile)
}

private func effects(_ policy: Activation.Policy, _ events: [Event]) -> [Activation.Effect?] {
    var machine = Activation(policy)
    return events.map { machine.handle($0) }
}

@Test func aPlainSystemMovesItsProfileAndTheNextBootLast() {
    for policy in policies where policy.setsProfileLast {
        let confirmation: [Event] = policy.needsConfirmation ? [.canaryMade, .confirmed] : []
        let health: [Event] = policy.checksHealth == true ? [.healthy] : []
        let checking: [Activation.Effect?] = policy.checksHealth == true ? [.checkHealth] : []
        let waiting: [Activation.Effect?] = policy.needsConfirmation ? [.makeCanary, .awaitConfirmation] : []
        #expect(
            effects(
                policy, [.begin, .scriptSucceeded] + health + confirmation + [.profileSet, .bootSet, .commitWritten])
                == [.runScript] + checking + waiting + [
                    .setProfile, .setBoot, .commit, .conclude(.committed, reason: nil),
                ])
    }
}

@Test func aPlainSystemForTheNextBootIsNeverRun() {
    for policy in policies where policy.kind == .system && policy.boot {
        #expect(
            effects(policy, [.begin, .profileSet, .bootSet, .commitWritten])
                == [.setProfile, .setBoot, .commit, .conclude(.committed, reason: nil)])
        #expect(!reachable(policy).contains { $0.effect == .runScript })
    }
}

@Test(arguments: policies)
func aPlainSystemIsSetOnlyOnceItMayStay(policy: Activation.Policy) {
    guard policy.setsProfileLast else { return }
    for (machine, event, effect) in reachable(policy) where effect == .setProfile {
        #expect(
            machine.phase == .awaiting && event == .confirmed
                || !policy.needsConfirmation
                    && (policy.checksHealth == true
                        ? machine.phase == .checkingHealth && event == .healthy
                        : machine.phase == .runningScript && event == .scriptSucceeded)
        )
    }
}

@Test(arguments: policies)
func afterAPlainSystemRanNothingCountsAsUnchanged(policy: Activation.Policy) {
    guard policy.setsProfileLast else { return }
    for (machine, _, effect) in reachable(policy) where verdict(effect) == .failed {
        #expect(machine.phase == .staged)
    }
}

@Test(arguments: policies)
func nothingIsConfirmableOrKeptUnlessItsHealthCheckHasSucceeded(policy: Activation.Policy) {
    let steps = reachable(policy)
    #expect(steps.contains { $0.effect == .checkHealth } == (policy.checksHealth == true && !policy.boot))
    for (machine, event, effect) in steps {
        #expect(effect != .checkHealth || machine.phase == .runningScript && event == .scriptSucceeded)
        guard policy.checksHealth == true, !policy.boot else { continue }
        #expect(effect != .makeCanary || machine.phase == .checkingHealth && event == .healthy)
        let keeps = effect == (policy.setsProfileLast ? .setProfile : .commit)
        #expect(!keeps || [.checkingHealth, .awaiting].contains(machine.phase), "\(machine.phase)")
    }
}

@Test(arguments: policies)
func whatIsUnhealthyIsAFailedActivation(policy: Activation.Policy) {
    for (machine, event, effect) in reachable(policy) where event == .unhealthy("j") {
        guard machine.phase == .checkingHealth else {
            #expect(effect == nil)
            continue
        }
        #expect(machine.state == .activating)
        #expect(effect == (policy.autoRollback ? .undo : .conclude(.left, reason: "j")))
    }
}

@Test(arguments: policies)
func aRebootIsTheLastResortAndBegunOnce(policy: Activation.Policy) {
    let steps = reachable(policy)
    let reboots = steps.filter { if case .reboot? = $0.effect { true } else { false } }
    #expect(reboots.isEmpty == (policy.rebootsIfStuck != true || policy.boot))
    for (machine, event, effect) in reboots {
        #expect(event == .undoFailed("h") || event == .undoneInPart(note: "k"))
        #expect(machine.state == .rollingBack)
        #expect(effect == .reboot(why: event == .undoFailed("h") ? "h" : "k"))
        // A machine that goes on to run ends as if it had not been asked; nothing but that ends it.
        var next = machine
        _ = next.handle(event)
        #expect(next.state == .rollingBack)
        for other in events where other != .rebootFailed("l") { #expect(next.handle(other) == nil) }
        let end = next.handle(.rebootFailed("l"))
        guard case .conclude(let verdict, let reason, let failure)? = end else {
            Issue.record("\(String(describing: end))")
            continue
        }
        #expect(verdict == (event == .undoFailed("h") ? .stuck : .rolledBack))
        #expect(failure == (event == .undoFailed("h") ? "h; l" : nil))
        #expect(reason?.hasSuffix("; k; l") == (event == .undoneInPart(note: "k")))
    }
}

@Test(arguments: policies)
func whoResumesAfterARebootBeginsNoOther(policy: Activation.Policy) {
    let remains = Activation.Remains(state: .rollingBack, isConfirmed: false, reason: "x", hasRebooted: true)
    for (event, verdict) in [(Event.undoFailed("h"), Verdict.stuck), (.undoneInPart(note: "k"), .rolledBack)] {
        var (machine, effect) = Activation.resuming(remains, policy)
        #expect(effect == .undo)
        effect = machine.handle(event)
        #expect(
            effect
                == .conclude(
                    verdict, reason: verdict == .stuck ? "x" : "x; k", rollbackFailure: verdict == .stuck ? "h" : nil))
    }
}
