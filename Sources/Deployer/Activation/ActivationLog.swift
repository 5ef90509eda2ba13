import Shared

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Tells what one activation does, as it does it.
struct ActivationLog: Sendable {
    let profile: PlannedProfile
    let console: Console
    let mode: ActivationMode
    let tail: OutputTail
    private(set) var hasStarted = false
    /// What the node is at, until a confirmation or a rollback begins.
    private var phase = Phase.activation
    /// The last lines that were no events, such as the agent's own errors.
    private(set) var lastTexts: [String] = []

    init(profile: PlannedProfile, console: Console, mode: ActivationMode, tail: OutputTail = OutputTail()) {
        self.profile = profile
        self.console = console
        self.mode = mode
        self.tail = tail
    }

    mutating func tell(_ line: EventReader.Line) {
        switch line {
        case .text(let text):
            lastTexts = lastTexts.suffix(19) + [text]
            console.relay(text, from: "agent", node: profile.node)
        case .event(let event):
            // That it lives says nothing of what it does.
            if event == .alive { return }
            hasStarted = true
            tail.hear(event)
            tell(event)
        }
    }

    private mutating func tell(_ event: AgentEvent) {
        switch event {
        case .alive, .recovering: break
        case .started(let previous):
            let was = previous.map { "now \(name($0))" } ?? "its first generation"
            console.report(.started(activity(.activation), previous: previous))
            step(mode.boot ? "preparing the next boot (\(was))" : "activating (\(was))")
        case .warning(let text): say(.warn, text)
        case .locked(let holder):
            let since = Date(timeIntervalSince1970: TimeInterval(holder.since)).formatted(.iso8601)
            say(
                .error,
                "is held since \(since) by \(holder.deployer)'s deploy of \(holder.closure); nothing was changed")
            console.tell(.hint, "try again once that deploy has ended; `deploy status` tells", node: profile.node)
        case .waitingForLock(let holder, let seconds):
            let since = Date(timeIntervalSince1970: TimeInterval(holder.since)).formatted(.iso8601)
            say(
                .info,
                "is held since \(since) by \(holder.deployer)'s deploy of \(holder.closure); waiting for its end, "
                    + "\(seconds) s at most")
        case .unitFailed(let unit):
            say(.error, "unit \(unit.text) has failed")
            for line in unit.lines { console.relay(line, from: unit.name, node: profile.node) }
        case .profileSet(let generation, let isNew):
            say(.debug, "the link is on generation \(generation)\(isNew ? "" : ", which existed before")")
        case .output(_, let line): console.relay(line, from: profile.name.text, node: profile.node)
        case .activationEnded(let exit, let timedOut):
            if timedOut {
                say(.error, "the activation did not end in time and was stopped")
            } else if !exit.isSuccess {
                say(.error, "the activation ended with \(exit)")
            } else {
                say(.debug, "the activation succeeded")
            }
        case .checkingHealth(let seconds):
            console.report(.ended(activity(phase)))
            phase = .healthCheck
            console.report(.began(activity(phase)))
            step("activated; checking its health (for \(seconds) s at most)")
        case .healthy(let tries): say(.info, "healthy" + (tries > 1 ? ", at try \(tries)" : ""))
        case .awaitingConfirmation(let seconds):
            console.report(.ended(activity(phase)))
            console.report(.awaiting(activity(.activation), seconds: seconds))
            console.report(.began(activity(.confirmation)))
            let probe = profile.probe == nil ? "" : "probing it from here, then "
            step("activated; \(probe)confirming over a new connection (the node rolls back in \(seconds) s)")
        case .rollingBack(let reason):
            if phase == .healthCheck { console.report(.ended(activity(phase))) }
            console.report(.began(activity(.rollback)))
            say(.warn, "the node is rolling back: \(reason)")
        case .rebooting(let reason, let seconds):
            say(
                .warn,
                "the node reboots into what was put back: \(reason); it is asked again, for \(seconds) s at most")
        // Told once, by whoever settles the outcome: it may come over another connection.
        case .verdict: break
        }
    }

    /// Tells how it ended.
    func tell(_ report: VerdictReport) {
        let place = report.generation.map { " on \(name($0))" } ?? " without a generation"
        let reason = report.reason.map { ": \($0)" } ?? ""
        let level = report.reason == nil ? Level.info : .warn
        switch report.verdict {
        case .committed where mode.boot: say(level, "set for the next boot\(place)\(reason)")
        case .committed: say(level, "\(profile.magicRollback ? "deployed and confirmed" : "deployed")\(place)\(reason)")
        case .rolledBack: say(.error, "rolled back, now\(place)\(reason)")
        case .failed: say(.error, "failed, nothing changed, still\(place)\(reason)")
        case .left: say(.error, "failed and was left\(place), since autoRollback is off\(reason)")
        case .stuck:
            let failure = report.rollbackFailure.map { "; the rollback failed: \($0)" } ?? ""
            say(.error, "is stuck\(place)\(reason)\(failure)")
        }
        if let hint = hint(report) { console.tell(.hint, hint, node: profile.node) }
    }

    /// What to do where the node does not stand as it did.
    private func hint(_ report: VerdictReport) -> String? {
        if report.needsReboot == true { return "deploy it with --boot, then restart the node" }
        return switch report.verdict {
        case .left: "look at it there, then deploy again; the generation before is kept"
        case .stuck:
            "look at it there: what is active may be a part of both; `\(mode.statusCommand)` tells what is recorded, "
                + "and a deploy that succeeds ends this"
        case .committed, .rolledBack, .failed: nil
        }
    }

    private func activity(_ phase: Phase) -> Activity {
        Activity(phase, node: profile.node, profile: profile.name)
    }

    private func step(_ text: String) { console.step("profile \"\(profile.name)\": \(text)", node: profile.node) }

    private func say(_ level: Level, _ text: String) {
        console.tell(level, "profile \"\(profile.name)\": \(text)", node: profile.node)
    }

    private func name(_ generation: Generation) -> String {
        generation.number.map { "generation \($0)" } ?? generation.path
    }
}
