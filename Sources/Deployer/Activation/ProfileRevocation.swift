import Shared

/// Takes back what one activation of this run has committed, and finds out how that ended.
///
/// Taking back twice takes back once, so a lost connection is answered by asking for the same again.
struct ProfileRevocation: Sendable {
    let profile: PlannedProfile
    let connection: ReadyConnection
    let connector: any Connector
    let console: Console
    let mode: ActivationMode
    let committed: VerdictReport
    let nonce: String
    let tail: OutputTail

    /// Runs it to its end, within the node's own limits.
    func run() async -> ProfileOutcome {
        let limit = Watchdog.rollbackLimit(profile.activationTimeout.map { .seconds($0) })
        return await run(within: limit + profile.rebootLimit(mode) + Watchdog.grace)
    }

    /// Past the limit the node is asked once more, and then it is given up as unknown.
    func run(within limit: Duration) async -> ProfileOutcome {
        let deadline = ContinuousClock.now + limit
        let failure: any Error
        do {
            let remote = try await connection.login.remote()
            if let outcome = try await before(deadline, { try await revoke(over: remote) }) { return outcome }
            failure = SSHError.timedOut(host: profile.destination.host, phase: "taking it back", after: limit)
        } catch {
            failure = error
        }
        let news = failure is AgentFailure ? "is not taken back yet" : "contact was lost"
        let text = "profile \"\(profile.name)\": \(news) (\(describe(failure))); asking the node again"
        console.tell(.warn, text, node: profile.node)
        do {
            return try await Reconnection(profile: profile, connector: connector, console: console)
                .answer(until: deadline, patience: min(limit, Watchdog.grace)) { remote, _ in
                    try await revoke(over: remote)
                }
        } catch {
            return .unknown(error)
        }
    }

    /// - Throws: ``SSHError``, ``AgentFailure`` where the node may still be at it
    private func revoke(over remote: any Remote) async throws -> ProfileOutcome {
        let request = RevokeRequest(profile: profile.location, nonce: nonce)
        let command = connection.agentCommand(.revoke(request), options: mode.agentOptions, for: profile)
        var log = ActivationLog(profile: profile, console: console, mode: mode, tail: tail)
        let process = try await remote.start(command.words, input: command.input)
        let verdict = try await process.hear(&log) { event -> VerdictReport? in
            if case .verdict(let report) = event { report } else { nil }
        }
        if let verdict { return outcome(verdict) }
        let failure = AgentFailure(exit: try await process.exit(), lines: log.lastTexts)
        guard case .code(let code) = failure.exit, code != ExitCode.unknown.rawValue else { throw failure }
        return .notRevoked(committed, failure)
    }

    private func outcome(_ report: VerdictReport) -> ProfileOutcome {
        switch report.verdict {
        case .rolledBack, .stuck: return .revoked(report)
        case .committed, .failed, .left:
            var committed = committed
            committed.generation = report.generation
            return .notRevoked(committed, RevocationRefusal(reason: report.reason))
        }
    }
}

/// Why a node would not take an activation back.
struct RevocationRefusal: Error, CustomStringConvertible {
    let reason: String?

    var description: String { reason ?? "the node gave no reason" }
}
