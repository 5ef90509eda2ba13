import Shared

/// Asks a node, over new connections, how one activation stands; confirms it if it waits for that.
struct Inquiry: Sendable {
    let profile: PlannedProfile
    let connection: ReadyConnection
    let connector: any Connector
    let console: Console
    let mode: ActivationMode
    let nonce: String

    /// Asks until the node has answered.
    ///
    /// - Parameters:
    ///   - deadline: for reaching the node; at least one attempt is made
    ///   - patience: how long it may take for its answer once it is reached; no limit if nil
    /// - Throws: why the last attempt failed; `CancellationError`
    func outcome(until deadline: ContinuousClock.Instant, patience: Duration?) async throws -> ProfileOutcome {
        try await Reconnection(profile: profile, connector: connector, console: console)
            .answer(until: deadline, patience: patience) { try await answer($0) }
    }

    /// The outcome as the node has it; where it does not know the activation, what it does know.
    private func answer(_ remote: any Remote) async throws -> ProfileOutcome {
        let confirmed = try await agent(.confirm(ConfirmRequest(profile: profile.location, nonce: nonce)), remote)
        if let report = confirmed.report { return .ended(report, nonce: nonce) }
        guard let status = ProfileStatus(lastLineOf: try await agent(.status([profile.location]), remote).result) else {
            throw failure(confirmed.result)
        }
        guard let known = status.activation, known.nonce == nonce else {
            // Only an agent that got to its answer has also seen to it that the activation never begins.
            guard confirmed.result.exit == .code(ExitCode.failed.rawValue) else { throw failure(confirmed.result) }
            // It holds the profile without having begun: what it could not say yet, it can say soon.
            if status.holder?.nonce == nonce { throw failure(confirmed.result) }
            return .notActivated(failure(confirmed.result))
        }
        if let report = known.report { return .ended(report, nonce: nonce) }
        guard !known.isGuarded else { throw failure(confirmed.result) }
        // Its guardian is gone: whoever comes next finishes its work, and that is us.
        let recovered = try await agent(.recover([profile.location]), remote)
        guard let report = recovered.report else { throw failure(recovered.result) }
        return .ended(report, nonce: nonce)
    }

    private func agent(
        _ command: AgentCommand, _ remote: any Remote
    ) async throws -> (report: VerdictReport?, result: RemoteResult) {
        let words = connection.agentCommand(command, options: mode.agentOptions, for: profile)
        let result = try await remote.run(words.words, input: words.input, limit: 1 << 20)
        var report: VerdictReport?
        for line in result.text.split(separator: "\n") {
            // Lines that are no event say nothing about the verdict.
            if case .verdict(let found) = try? JSONLine.decode(AgentEvent.self, from: line) { report = found }
        }
        return (report, result)
    }

    private func failure(_ result: RemoteResult) -> AgentFailure {
        AgentFailure(exit: result.exit, lines: lastLines(5, of: result.errorText))
    }
}

extension ProfileStatus {
    /// What `status` printed for one profile; nil where that is no status.
    init?(lastLineOf result: RemoteResult) {
        guard let line = result.text.split(separator: "\n").last,
            let status = try? JSONLine.decode(ProfileStatus.self, from: line)
        else { return nil }
        self = status
    }
}
