import Shared

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `deploy status`: where the profiles of the nodes stand, read from the nodes.
struct StatusReport: Sendable {
    let preflight: Preflight
    let console: Console
    let limit: Int

    /// Prints one line a profile on standard output; failures go where messages go.
    ///
    /// - Returns: 0 if every node answered
    func run(_ plan: Plan) async -> ExitCode {
        var codes: [ExitCode] = []
        for (node, result) in zip(plan.nodes, await sideBySide(plan.nodes, limit: limit, { try await ask($0) })) {
            do {
                for line in try result.get() { print(line) }
            } catch {
                console.tell(error, node: node.name)
                codes.append((error as? StageFailure)?.cause is SSHError ? .unreachable : .failed)
            }
        }
        return ExitCode.worst(of: codes)
    }

    private func ask(_ node: PlannedNode) async throws -> [String] {
        let ready = try await preflight.prepare(node)
        var lines: [String] = []
        do {
            for profile in node.profiles {
                let connection = try ready.connection(of: profile)
                if connection.usesClosureAgent(for: profile) {
                    let agent = ClosureAgent(
                        profile: profile, connection: connection, mode: ActivationMode(deployer: ""))
                    let place = try await agent.look().generation?.label ?? "no generation"
                    lines.append(printable("\(profile.label): \(place); the closure's own agent keeps no record"))
                    continue
                }
                let command = connection.agentCommand(.status([profile.location]), for: profile)
                let result = try await preflight.answer(
                    try await connection.login.remote(), command.words, input: command.input)
                guard let status = ProfileStatus(lastLineOf: result) else {
                    throw AgentFailure(exit: result.exit, lines: lastLines(5, of: result.errorText))
                }
                lines.append("\(profile.label): \(sentence(status))")
            }
        } catch {
            await ready.close()
            throw error
        }
        await ready.close()
        return lines
    }

    private func sentence(_ status: ProfileStatus) -> String {
        let place = status.generation.map { generation in
            (generation.number.map { "generation \($0), " } ?? "") + generation.path
        }
        var text = place ?? "no generation"
        if let holder = status.holder, holder.nonce != status.activation?.nonce {
            text += "; held by \(holder.deployer)'s deploy of \(holder.closure)"
        }
        guard let activation = status.activation else { return printable(text + "; never deployed by this tool") }
        text += "; \(activation.state.rawValue)"
        if !activation.isGuarded && activation.report == nil { text += " (interrupted: the next deploy finishes it)" }
        if let seconds = activation.secondsLeft { text += ", \(seconds) s left" }
        let time = Date(timeIntervalSince1970: TimeInterval(activation.startedAt)).formatted(.iso8601)
        text += ", by \(activation.deployer) at \(time)"
        if let reason = activation.report?.reason { text += ": \(reason)" }
        return printable(text)
    }
}
