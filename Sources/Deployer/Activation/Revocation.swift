import Shared

/// Takes back what a failed run had committed: only that, to exactly its recorded state.
struct Revocation: Sendable {
    let connector: any Connector
    let console: Console

    /// Revokes every committed result whose profile wants it, newest first, nodes side by side; all are tried.
    func revoke(_ results: [ProfileResult], on nodes: [ReadyNode]) async -> [ProfileResult] {
        let revoked = await sideBySide(nodes, limit: max(1, nodes.count)) { node in
            var outcomes: [Int: ProfileOutcome] = [:]
            for (index, result) in results.enumerated().reversed() where result.profile.node == node.plan.name {
                guard case .ended(let report, let nonce) = result.outcome, report.verdict == .committed,
                    result.profile.autoRollback
                else { continue }
                outcomes[index] = await revoke(result.profile, nonce, on: node)
            }
            return outcomes
        }
        var results = results
        // Nothing that revokes throws: an error is an outcome.
        for (index, outcome) in revoked.flatMap({ (try? $0.get()) ?? [:] }) { results[index].outcome = outcome }
        return results
    }

    private func revoke(_ profile: PlannedProfile, _ nonce: String, on node: ReadyNode) async -> ProfileOutcome {
        console.tell(.info, "profile \"\(profile.name)\": taking it back", node: profile.node)
        var log = ActivationLog(profile: profile, console: console)
        do {
            let connection = try node.connection(of: profile)
            let request = RevokeRequest(profile: profile.location, nonce: nonce)
            let command = connection.agentCommand(.revoke(request), for: profile)
            return try await listen(to: command, on: connection.remote, &log)
        } catch {
            console.tell(
                .error, "profile \"\(profile.name)\": may not have been taken back: \(describe(error))",
                node: profile.node)
            return .unknown(error)
        }
    }

    private func listen(
        to command: (words: [String], input: [UInt8]), on remote: any Remote, _ log: inout ActivationLog
    ) async throws -> ProfileOutcome {
        let process = try await remote.start(command.words, input: command.input)
        var reader = EventReader()
        var report: VerdictReport?
        for try await output in process.output {
            for line in reader.add(output) {
                log.tell(line)
                if case .event(.verdict(let found)) = line { report = found }
            }
        }
        if let report {
            log.tell(report)
            return .revoked(report)
        }
        throw AgentFailure(exit: try await process.exit(), lines: log.lastTexts)
    }
}
