import Shared

/// Has a closure's own agent say what its activation would do; it has no other connection, and asks once.
struct ClosureDryRun: Sendable {
    /// A dry one.
    let agent: ClosureAgent
    let console: Console
    let tail: OutputTail

    /// Runs it to its end; past the limit it is given up.
    func run() async -> ProfileOutcome {
        let limit = Duration.seconds(agent.activationTimeout) + Preflight.answerLimit
        do {
            let exit = try await before(.now + limit) { try await agent.run(agent.activate, console, tail) }
            switch exit {
            // Wrong usage, not executable, not found: it did not even begin.
            case .code(let code)? where ![2, 126, 127].contains(code): return .dryRun(.code(code))
            case let exit?: return .notActivated(AgentFailure(exit: exit, lines: tail.activation))
            case nil:
                return .notActivated(
                    SSHError.timedOut(host: agent.profile.destination.host, phase: "the dry run", after: limit))
            }
        } catch {
            return .notActivated(error)
        }
    }
}
