import Shared

/// Takes back what a closure's own agent had committed, with its `revoke`.
struct ClosureRevocation: Sendable {
    let agent: ClosureAgent
    let console: Console
    let committed: VerdictReport

    /// deploy-rs's agent goes one generation back and deletes the one it leaves: where that led is read off the link.
    func run() async -> ProfileOutcome {
        let profile = agent.profile
        let command = agent.revoke
        console.tell(.debug, "running \(shellQuoted(command.words))", node: profile.node)
        do {
            let remote = try await agent.connection.login.remote()
            let limit = Watchdog.rollbackLimit(profile.activationTimeout.map { .seconds($0) }) + Watchdog.grace
            let answer = try await before(.now + limit) {
                try await remote.run(command.words, input: command.input, limit: ClosureAgent.outputLimit)
            }
            guard let result = answer else {
                return .unknown(
                    SSHError.timedOut(host: profile.destination.host, phase: "taking it back", after: limit))
            }
            for line in lastLines(20, of: result.text + result.errorText) {
                console.relay(line, from: profile.name.text, node: profile.node)
            }
            let look = try await agent.look()
            return outcome(result.exit, look)
        } catch {
            return .unknown(error)
        }
    }

    private func outcome(_ exit: RemoteExit, _ look: ProfileLook) -> ProfileOutcome {
        let isBack = look.generation?.path != agent.profile.path
        if exit.isSuccess && isBack { return .revoked(VerdictReport(.rolledBack, generation: look.generation)) }
        let reason = "the closure's own agent ended with \(exit)"
        if !isBack { return .notRevoked(committed, ClosureAgentError.revokeFailed(reason: reason)) }
        return .revoked(
            VerdictReport(
                .stuck, generation: look.generation, reason: reason,
                rollbackFailure: "the link is back, but the old generation may not have been activated again"))
    }
}
