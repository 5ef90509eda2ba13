import Shared

/// Takes back what a failed run had committed: only that, to exactly its recorded state.
struct Revocation: Sendable {
    let connector: any Connector
    let console: Console
    let mode: ActivationMode

    /// How long a node that lost contact while it took something back is asked for the outcome.
    private static let patience = Duration.seconds(90)

    /// Revokes every committed result whose profile wants it, newest first, nodes side by side; all are tried.
    func revoke(_ results: [ProfileResult], on nodes: [ReadyNode]) async -> [ProfileResult] {
        let revoked = await sideBySide(nodes, limit: max(1, nodes.count)) { node in
            var outcomes: [Int: ProfileOutcome] = [:]
            for (index, result) in results.enumerated().reversed() where result.profile.node == node.plan.name {
                guard case .ended(let report, let nonce) = result.outcome, report.verdict == .committed,
                    result.profile.autoRollback
                else { continue }
                outcomes[index] = await revoke(result.profile, report, nonce, on: node)
            }
            return outcomes
        }
        var results = results
        // Nothing that revokes throws: an error is an outcome.
        for (index, outcome) in revoked.flatMap({ (try? $0.get()) ?? [:] }) { results[index].outcome = outcome }
        return results
    }

    private func revoke(
        _ profile: PlannedProfile, _ committed: VerdictReport, _ nonce: String, on node: ReadyNode
    ) async -> ProfileOutcome {
        console.tell(.info, "profile \"\(profile.name)\": taking it back", node: profile.node)
        do {
            let connection = try node.connection(of: profile)
            let outcome = try await outcome(profile, committed, nonce, connection)
            if case .revoked(let report) = outcome {
                ActivationLog(profile: profile, console: console, mode: mode).tell(report)
                return outcome
            }
            return tell(outcome, of: profile)
        } catch {
            return tell(.notRevoked(committed, error), of: profile)
        }
    }

    /// What the agent says; where the channel is lost over it, what the node says when asked anew.
    private func outcome(
        _ profile: PlannedProfile, _ committed: VerdictReport, _ nonce: String, _ connection: ReadyConnection
    ) async throws -> ProfileOutcome {
        if connection.usesClosureAgent(for: profile) {
            let agent = ClosureAgent(profile: profile, connection: connection, mode: mode)
            return await ClosureRevocation(agent: agent, console: console, committed: committed).run()
        }
        var log = ActivationLog(profile: profile, console: console, mode: mode)
        let request = RevokeRequest(profile: profile.location, nonce: nonce)
        let command = connection.agentCommand(.revoke(request), for: profile)
        let remote = try await connection.login.remote()
        do {
            return try await listen(to: command, on: remote, committed, &log)
        } catch let error as SSHError {
            console.tell(.debug, "asking how the revocation ended: \(describe(error))", node: profile.node)
            let inquiry = Inquiry(
                profile: profile, connection: connection, connector: connector, console: console, nonce: nonce)
            let outcome: ProfileOutcome
            do {
                outcome = try await inquiry.outcome(until: .now + Revocation.patience)
            } catch {
                return .unknown(error)
            }
            guard case .ended(let report, _) = outcome else { return outcome }
            return report.verdict == .committed ? .notRevoked(report, error) : .revoked(report)
        }
    }

    private func listen(
        to command: (words: [String], input: [UInt8]), on remote: any Remote, _ committed: VerdictReport,
        _ log: inout ActivationLog
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
        if let report { return .revoked(report) }
        return .notRevoked(committed, AgentFailure(exit: try await process.exit(), lines: log.lastTexts))
    }

    private func tell(_ outcome: ProfileOutcome, of profile: PlannedProfile) -> ProfileOutcome {
        let subject = "profile \"\(profile.name)\""
        switch outcome {
        case .notRevoked(_, let error):
            console.tell(
                .error, "\(subject): could not be taken back and is still deployed: \(describe(error))",
                node: profile.node)
        case .unknown(let error):
            console.tell(.error, "\(subject): may not have been taken back: \(describe(error))", node: profile.node)
            console.tell(.hint, "`deploy status` tells once the node answers again", node: profile.node)
        default: break
        }
        return outcome
    }
}
