import Shared

/// One activation from its start to its verdict, as pure steps: an event goes in, the next effect comes out.
///
/// Whoever carries the effects out answers each with one event. What does not fit the phase is ignored, so that no
/// order of events can lead to two verdicts.
struct Activation: Sendable, Hashable {
    /// What a closure is.
    enum Kind: String, Sendable, Codable {
        /// Has a script of its own, which finds the profile on the closure.
        case wrapped
        /// A plain NixOS system: live first, and the profile and the next boot only once that is confirmed, so that a
        /// power loss before boots the old system.
        case system
    }

    struct Policy: Sendable, Codable, Hashable {
        var magicRollback: Bool
        var autoRollback: Bool
        var boot: Bool
        var kind = Kind.wrapped
        /// Nil, as in journals from before there were health checks, for no.
        var checksHealth: Bool?
        /// Nil for no.
        var rebootsIfStuck: Bool?

        /// Boot has nothing to confirm yet.
        var needsConfirmation: Bool { magicRollback && !boot }
        /// The profile moves after the activation.
        var setsProfileLast: Bool { kind == .system && !boot }
    }

    enum Phase: Sendable, Hashable {
        case staged, settingProfile, runningScript, checkingHealth, makingCanary, awaiting, settingBoot, committing
        case rollingBack(reason: String)
        /// With how it ends if the machine cannot be rebooted.
        case rebooting(instead: Verdict, reason: String, failure: String?)
        case ended(Verdict)
    }

    enum Event: Sendable, Hashable {
        case begin
        case profileSet
        /// `linkMoved` tells whether the profile is somewhere else than before all the same.
        case setFailed(String, linkMoved: Bool)
        case scriptSucceeded
        case scriptFailed(String)
        case healthy
        case unhealthy(String)
        case canaryMade
        case canaryFailed(String)
        case confirmed
        case expired(String)
        case bootSet
        case bootFailed(String)
        case commitWritten
        case commitFailed(String)
        /// All that was done is undone; the note says what a person should know about it.
        case undone(note: String?)
        /// It is, but what has to run then does not.
        case undoneInPart(note: String)
        case undoFailed(String)
        /// The machine still runs. Of a reboot that takes place only whoever resumes hears.
        case rebootFailed(String)
    }

    enum Effect: Sendable, Hashable {
        case setProfile, runScript, checkHealth, makeCanary, awaitConfirmation
        /// Make the profile's system the one that boots.
        case setBoot
        /// Write the verdict `committed` down; it holds from then on.
        case commit
        case undo
        /// Write down why, then have the machine boot what was put back.
        case reboot(why: String)
        case conclude(Verdict, reason: String?, rollbackFailure: String? = nil)
    }

    let policy: Policy
    private(set) var phase = Phase.staged
    /// Once at most, so that a machine never reboots in a circle.
    private var mayReboot: Bool

    init(_ policy: Policy) {
        self.policy = policy
        // What was for the next boot only must not be what brings it about.
        mayReboot = policy.rebootsIfStuck == true && !policy.boot
    }

    /// Takes an event in; nil if nothing follows from it in this phase.
    mutating func handle(_ event: Event) -> Effect? {
        switch (phase, event) {
        case (.staged, .begin):
            return policy.setsProfileLast ? enter(.runningScript, .runScript) : enter(.settingProfile, .setProfile)
        case (.settingProfile, .profileSet):
            return policy.kind == .system ? enter(.settingBoot, .setBoot) : enter(.runningScript, .runScript)
        case (.settingProfile, .setFailed(let reason, let linkMoved)):
            return linkMoved || policy.setsProfileLast ? rollBack(reason) : end(.failed, reason)
        case (.settingBoot, .bootSet): return enter(.committing, .commit)
        case (.settingBoot, .bootFailed(let reason)): return policy.autoRollback ? rollBack(reason) : end(.left, reason)
        case (.runningScript, .scriptSucceeded):
            return policy.checksHealth == true && !policy.boot ? enter(.checkingHealth, .checkHealth) : proceed()
        case (.checkingHealth, .healthy): return proceed()
        case (.runningScript, .scriptFailed(let reason)), (.checkingHealth, .unhealthy(let reason)):
            return policy.autoRollback ? rollBack(reason) : end(.left, reason)
        case (.makingCanary, .canaryMade): return enter(.awaiting, .awaitConfirmation)
        case (.makingCanary, .canaryFailed(let reason)): return rollBack(reason)
        case (.awaiting, .confirmed): return keep()
        case (.awaiting, .expired(let reason)): return rollBack(reason)
        case (.committing, .commitWritten): return end(.committed, nil)
        case (.committing, .commitFailed(let reason)): return rollBack(reason)
        case (.rollingBack(let reason), .undone(let note)): return end(.rolledBack, join(reason, note))
        case (.rollingBack(let reason), .undoneInPart(let note)):
            return reboot(why: note, insteadOf: .rolledBack, "\(reason); \(note)")
        case (.rollingBack(let reason), .undoFailed(let failure)):
            return reboot(why: failure, insteadOf: .stuck, reason, failure)
        case (.rebooting(let verdict, let reason, .some(let failure)), .rebootFailed(let why)):
            return end(verdict, reason, "\(failure); \(why)")
        case (.rebooting(let verdict, let reason, nil), .rebootFailed(let why)):
            return end(verdict, "\(reason); \(why)")
        default: return nil
        }
    }

    private mutating func enter(_ phase: Phase, _ effect: Effect) -> Effect {
        self.phase = phase
        return effect
    }

    /// What is active is good as far as the node can tell.
    private mutating func proceed() -> Effect {
        policy.needsConfirmation ? enter(.makingCanary, .makeCanary) : keep()
    }

    /// What is active shall stay.
    private mutating func keep() -> Effect {
        policy.setsProfileLast ? enter(.settingProfile, .setProfile) : enter(.committing, .commit)
    }

    private mutating func rollBack(_ reason: String) -> Effect { enter(.rollingBack(reason: reason), .undo) }

    /// The last resort, where it is wanted and was not tried yet.
    private mutating func reboot(
        why: String, insteadOf verdict: Verdict, _ reason: String, _ failure: String? = nil
    ) -> Effect {
        guard mayReboot else { return end(verdict, reason, failure) }
        mayReboot = false
        return enter(.rebooting(instead: verdict, reason: reason, failure: failure), .reboot(why: why))
    }

    private mutating func end(_ verdict: Verdict, _ reason: String?, _ failure: String? = nil) -> Effect {
        enter(.ended(verdict), .conclude(verdict, reason: reason, rollbackFailure: failure))
    }

    private func join(_ reason: String, _ note: String?) -> String { note.map { "\(reason); \($0)" } ?? reason }
}

extension Activation {
    /// What a predecessor left that died without a verdict.
    struct Remains: Sendable, Equatable {
        var state: ProfileStatus.State
        /// A confirmation had taken the canary, and what it confirmed still runs.
        var isConfirmed: Bool
        /// Why it was being rolled back, if it was.
        var reason: String?
        /// A reboot was begun already.
        var hasRebooted = false
    }

    /// Takes over an interrupted activation. What was not committed is undone, unless the user wants neither rollback.
    static func resuming(_ remains: Remains, _ policy: Policy) -> (Activation, Effect?) {
        var machine = Activation(policy)
        if remains.hasRebooted { machine.mayReboot = false }
        let effect: Effect?
        switch remains.state {
        case .staged: effect = machine.end(.failed, "interrupted before anything was changed")
        case .activating where !policy.autoRollback && !policy.needsConfirmation:
            effect = machine.end(.left, "interrupted during activation, and autoRollback is off")
        case .activating: effect = machine.rollBack("interrupted during activation")
        case .awaitingConfirmation where remains.isConfirmed: effect = machine.keep()
        case .awaitingConfirmation: effect = machine.rollBack("interrupted before it was confirmed")
        case .rollingBack: effect = machine.rollBack(remains.reason ?? "interrupted during rollback")
        case .committed, .rolledBack, .failed, .left, .stuck: effect = nil
        }
        return (machine, effect)
    }

    /// The phase as the journal and `status` name it.
    var state: ProfileStatus.State {
        switch phase {
        case .staged: .staged
        case .runningScript, .checkingHealth, .makingCanary: .activating
        case .awaiting: .awaitingConfirmation
        case .settingProfile where !policy.setsProfileLast: .activating
        // Not committed until that is written down; until then it stands where it was confirmed.
        case .settingProfile, .settingBoot, .committing: policy.needsConfirmation ? .awaitingConfirmation : .activating
        case .rollingBack, .rebooting: .rollingBack
        case .ended(.committed): .committed
        case .ended(.rolledBack): .rolledBack
        case .ended(.failed): .failed
        case .ended(.left): .left
        case .ended(.stuck): .stuck
        }
    }
}
