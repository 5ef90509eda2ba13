import Shared

/// Takes back what a failed run had committed: only that, to exactly its recorded state.
struct Revocation: Sendable {
    let connector: any Connector
    let console: Console
    let mode: ActivationMode

    /// Revokes every committed result whose profile wants it, newest first, nodes side by side; all are tried.
    func revoke(_ results: [ProfileResult], on nodes: [ReadyNode]) async -> [ProfileResult] {
        let revoked = await sideBySide(nodes, limit: max(1, nodes.count)) { node in
            var revoked: [Int: ProfileResult] = [:]
            for (index, result) in results.enumerated().reversed() where result.profile.node == node.plan.name {
                guard case .ended(let report, let nonce) = result.outcome, report.verdict == .committed,
                    result.profile.autoRollback
                else { continue }
                let activity = Activity(.revocation, node: node.plan.name, profile: result.profile.name)
                let text = "profile \"\(result.profile.name)\": taking it back"
                let outcome = await console.during(activity, text) { await revoke(result, report, nonce, on: node) }
                console.report(.settled(outcome))
                revoked[index] = outcome
            }
            return revoked
        }
        var results = results
        // Nothing that revokes throws: an error is an outcome.
        for (index, result) in revoked.flatMap({ (try? $0.get()) ?? [:] }) { results[index] = result }
        return results
    }

    private func revoke(
        _ result: ProfileResult, _ committed: VerdictReport, _ nonce: String, on node: ReadyNode
    ) async -> ProfileResult {
        var result = result
        let profile = result.profile
        let report = OutcomeReport(profile: profile, console: console, mode: mode)
        do {
            let connection = try node.connection(of: profile)
            result.outcome = await outcome(of: result, committed, nonce, connection)
            report.tell(result.outcome)
            result.rollback = await ActivationWork(connector: connector, console: console, mode: mode)
                .look(result, connection, nonce)
        } catch {
            result.outcome = .notRevoked(committed, error)
            report.tell(result.outcome)
        }
        return result
    }
    private func outcome(
        of result: ProfileResult, _ committed: VerdictReport, _ nonce: String, _ connection: ReadyConnection
    ) async -> ProfileOutcome {
        if connection.usesClosureAgent(for: result.profile) {
            let agent = ClosureAgent(profile: result.profile, connection: connection, mode: mode)
            return await ClosureRevocation(agent: agent, console: console, committed: committed).run()
        }
        let revocation = ProfileRevocation(
            profile: result.profile, connection: connection, connector: connector, console: console, mode: mode,
            committed: committed, nonce: nonce, tail: result.tail)
        return await revocation.run()
    }
}
