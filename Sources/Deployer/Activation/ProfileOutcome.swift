import Shared

/// How the deploy of one profile ended, as read from the node; never as assumed.
enum ProfileOutcome: Sendable {
    /// Not begun, because something else had failed before.
    case notStarted
    /// Its node could not be made ready: nothing changed.
    case notPrepared(any Error)
    /// It was active and committed already, so nothing was done.
    case unchanged(Generation)
    case ended(VerdictReport, nonce: String)
    /// A dry activation, with the status of the closure's script.
    case dryRun(Exit)
    case locked(LockHolder)
    /// The agent could not be run: nothing changed.
    case notActivated(any Error)
    /// Contact was lost and the node's own deadline has passed without an answer.
    case unknown(any Error)
    /// This run committed it, and then took it back.
    case revoked(VerdictReport)
    /// This run committed it, and then could not take it back: it is still deployed.
    case notRevoked(VerdictReport, any Error)

    /// True where a later profile of the run may be started.
    var isSuccess: Bool {
        switch self {
        case .ended(let report, _): report.verdict == .committed
        case .dryRun(let exit): exit.isSuccess
        case .unchanged: true
        default: false
        }
    }

    /// True where the node says that a rollback went well, wanted or not.
    var isRolledBack: Bool {
        switch self {
        case .ended(let report, _), .revoked(let report): report.verdict == .rolledBack
        default: false
        }
    }

    /// True where nothing was begun, so that there is nothing that would have to take back the rest.
    var isNotStarted: Bool {
        switch self {
        case .notStarted, .notPrepared: true
        default: false
        }
    }

    var exitCode: ExitCode {
        switch self {
        case .notStarted: .failed
        case .notPrepared(let error): Failure.code(of: error)
        case .unchanged: .done
        case .ended(let report, _): report.exitCode
        case .dryRun(let exit): exit.isSuccess ? .done : .failed
        case .locked: .locked
        case .notActivated(let error): error is SSHError ? .unreachable : .failed
        case .unknown: .unknown
        case .revoked(let report): report.verdict == .rolledBack ? .rolledBack : .stuck
        case .notRevoked: .stuck
        }
    }
}

/// One profile of a run with how its deploy ended.
struct ProfileResult: Sendable {
    let profile: PlannedProfile
    var outcome: ProfileOutcome
    /// What is known of its output.
    let tail: OutputTail
    /// What a second look said, after a rollback.
    var rollback: RollbackFinding?

    /// True where nothing was begun since another deploy holds this very profile.
    var isHeld: Bool {
        switch outcome {
        case .locked: return true
        case .notPrepared(let error as StageFailure):
            guard case PreflightError.held = error.cause else { return false }
            return error.profile == profile.name
        default: return false
        }
    }

    /// True where it was begun and did not end as wanted.
    var hasFailed: Bool { !outcome.isSuccess && !outcome.isNotStarted }

    var exitCode: ExitCode {
        if case .different = rollback { return .stuck }
        return outcome.exitCode
    }
}

extension ExitCode {
    /// Which of several outcomes a run exits with: what needs a person soonest.
    static func worst(of codes: some Sequence<ExitCode>) -> ExitCode {
        let order: [ExitCode] = [
            .stuck, .unknown, .left, .rolledBack, .needsReboot, .locked, .unreachable, .failed,
        ]
        let present = Set(codes)
        return order.first(where: present.contains) ?? .done
    }
}
