import Shared

/// Has a closure's own agent say what its activation would do; it has no other connection, and asks once.
struct ClosureDryRun: Sendable {
    let profile: PlannedProfile
    let connection: DryConnection
    let console: Console
    let mode: ActivationMode
    let tail: OutputTail

    /// Runs it to its end; past the limit it is given up.
    func run() async -> ProfileOutcome {
        let limit = Duration.seconds(profile.rehearsalTimeout) + Preflight.answerLimit
        do {
            let exit = try await before(.now + limit) {
                try await connection.askClosure(profile, mode, console, tail)
            }
            switch exit {
            // Wrong usage, not executable, not found: it did not even begin.
            case .code(let code)? where ![2, 126, 127].contains(code): return .dryRun(.code(code))
            case let exit?: return .notActivated(AgentFailure(exit: exit, lines: tail.activation))
            case nil:
                return .notActivated(
                    SSHError.timedOut(host: profile.destination.host, phase: "the dry run", after: limit))
            }
        } catch {
            return .notActivated(error)
        }
    }
}
