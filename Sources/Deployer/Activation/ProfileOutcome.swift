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
        case .ended(let report, _): report.verdict.exitCode
        case .dryRun(let exit): exit.isSuccess ? .done : .failed
        case .locked: .locked
        case .notActivated(let error): error is SSHError ? .unreachable : .failed
        case .unknown: .unknown
        case .revoked(let report): report.verdict == .rolledBack ? .rolledBack : .stuck
        case .notRevoked: .stuck
        }
    }
}

extension ExitCode {
    /// Which of several outcomes a run exits with: what needs a person soonest.
    static func worst(of codes: some Sequence<ExitCode>) -> ExitCode {
        let order: [ExitCode] = [.stuck, .unknown, .left, .rolledBack, .locked, .unreachable, .failed]
        let present = Set(codes)
        return order.first(where: present.contains) ?? .done
    }
}
