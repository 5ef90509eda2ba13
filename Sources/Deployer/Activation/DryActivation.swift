import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Has one closure say what its activation would do.
///
/// It holds nothing that could confirm, recover or take back, and no other connection: whatever happens, it asks the
/// node for this one thing and never again.
struct DryActivation: Sendable {
    let profile: PlannedProfile
    let connection: DryConnection
    let console: Console
    let mode: ActivationMode
    let nonce: String
    let tail: OutputTail

    /// Runs it to its end; past the node's own limit it is given up.
    func run() async -> ProfileOutcome {
        do {
            let limit = Duration.seconds(profile.rehearsalTimeout) + Preflight.answerLimit
            if let outcome = try await before(.now + limit, { try await rehearse() }) { return outcome }
            return .notActivated(
                SSHError.timedOut(host: profile.destination.host, phase: "the dry run", after: limit))
        } catch {
            return .notActivated(error)
        }
    }

    private func rehearse() async throws -> ProfileOutcome {
        let question = connection.question(profile, nonce: nonce, mode)
        console.tell(.debug, "running \(shellQuoted(question))", node: profile.node)
        var log = ActivationLog(profile: profile, console: console, mode: mode, tail: tail)
        let process = try await connection.ask(profile, nonce: nonce, mode)
        let end = try await process.hear(&log) { event -> ProfileOutcome? in
            guard case .activationEnded(let exit, let timedOut) = event else { return nil }
            return .dryRun(timedOut ? .signal(SIGTERM) : exit)
        }
        if let end { return end }
        return .notActivated(AgentFailure(exit: try await process.exit(), lines: log.lastTexts))
    }
}
