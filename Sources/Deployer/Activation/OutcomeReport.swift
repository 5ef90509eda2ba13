import Shared

/// Tells how the deploy of one profile ended, as far as its events have not told it already.
struct OutcomeReport: Sendable {
    let profile: PlannedProfile
    let console: Console
    let mode: ActivationMode

    func tell(_ outcome: ProfileOutcome) {
        switch outcome {
        case .ended(let report, _), .revoked(let report):
            ActivationLog(profile: profile, console: console, mode: mode).tell(report)
        case .dryRun(let exit):
            if exit.isSuccess { say(.info, "dry run done, nothing changed") }
        case .notActivated(let error): say(.error, "not activated, nothing changed: \(describe(error))")
        case .notRevoked(_, let error):
            say(.error, "could not be taken back and is still deployed: \(describe(error))")
        case .unknown(let error):
            say(.error, "how it ended is not known: \(describe(error))")
            say(.hint, "once the node answers again: \(mode.statusCommand)")
        case .notStarted, .locked: break
        }
    }

    func tell(_ finding: RollbackFinding) {
        switch finding {
        case .verified: say(.info, "rolled back, verified over a new connection")
        case .notSeen(let reason):
            say(.warn, "rolled back, not verified: \(reason)")
            say(.hint, "once the node answers again: \(mode.statusCommand)")
        case .different(let reason): say(.error, "rolled back, not verified: \(reason)")
        }
    }

    private func say(_ level: Level, _ text: String) {
        console.tell(level, "profile \"\(profile.name)\": \(text)", node: profile.node)
    }
}
