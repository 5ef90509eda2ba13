import Shared

/// Asks a node, over a connection of its own, how one activation stands; confirming it if it waits for that.
struct Inquiry: Sendable {
    let activation: ProfileActivation
    let remote: any Remote

    private var profile: PlannedProfile { activation.profile }

    /// The outcome as the node has it.
    ///
    /// - Throws: ``SSHError``; ``AgentFailure`` where the node gave no usable answer
    func outcome() async throws -> ProfileOutcome {
        let confirmed = try await agent(.confirm(ConfirmRequest(profile: profile.location, nonce: activation.nonce)))
        if let report = confirmed.report { return .ended(report, nonce: activation.nonce) }
        let result = try await agent(.status([profile.location])).result
        guard let line = result.text.split(separator: "\n").last,
            let status = try? JSONLine.decode(ProfileStatus.self, from: line)
        else { throw failure(confirmed.result) }
        guard let known = status.activation, known.nonce == activation.nonce else {
            return .notActivated(failure(confirmed.result))
        }
        if let report = known.report { return .ended(report, nonce: activation.nonce) }
        guard !known.isGuarded else { throw failure(confirmed.result) }
        // Its guardian is gone: whoever comes next finishes its work, and that is us.
        let recovered = try await agent(.recover([profile.location]))
        guard let report = recovered.report else { throw failure(recovered.result) }
        return .ended(report, nonce: activation.nonce)
    }

    private func agent(_ command: AgentCommand) async throws -> (report: VerdictReport?, result: RemoteResult) {
        let words = activation.connection.agentCommand(command, for: profile)
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
