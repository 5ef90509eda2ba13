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
    let preflights: Preflights
    let console: Console
    /// How many of each profile's last deploys to tell of.
    var history = 0

    /// Prints one line a profile on standard output; failures go where messages go.
    ///
    /// - Returns: 0 if every node answered
    func run(_ plan: Plan) async -> ExitCode {
        var codes: [ExitCode] = []
        let results = await sideBySide(plan.nodes, limit: max(1, plan.nodes.count)) { try await ask($0) }
        for (node, result) in zip(plan.nodes, results) {
            do {
                for line in try result.get() { console.result(line) }
            } catch {
                console.tell(error, node: node.name)
                codes.append((error as? StageFailure)?.cause is SSHError ? .unreachable : .failed)
            }
        }
        return ExitCode.worst(of: codes)
    }

    private func ask(_ node: PlannedNode) async throws -> [String] {
        let ready = try await preflights.ready(node)
        var lines: [String] = []
        do {
            for profile in node.profiles {
                lines += try await told(profile, of: ready)
            }
        } catch {
            await ready.close()
            throw error
        }
        await ready.close()
        return lines
    }

    private func told(_ profile: PlannedProfile, of node: ReadyNode) async throws -> [String] {
        if history == 0, let status = node.statuses[profile.name] { return told(status, of: profile) }
        let connection = try node.connection(of: profile)
        if connection.usesClosureAgent(for: profile) { return [try await look(at: profile, over: connection)] }
        // It was not asked for that much; or something is wrong, which is told by asking alone.
        let command = connection.agentCommand(
            .status(StatusRequest([profile.location], history: history)), for: profile)
        let result = try await Preflight.answer(
            try await connection.login.remote(), command.words, input: command.input)
        guard let status = ProfileStatus(lastLineOf: result) else {
            throw AgentFailure(exit: result.exit, lines: lastLines(5, of: result.errorText))
        }
        return told(status, of: profile)
    }

    private func told(_ status: ProfileStatus, of profile: PlannedProfile) -> [String] {
        if let event = event(status, of: profile) { return [event] }
        return ["\(profile.label): \(sentence(status))"]
            + (status.history ?? []).flatMap { StatusHistory(entry: $0).lines }
    }

    /// Where no agent of ours can be asked, the link is all there is.
    private func look(at profile: PlannedProfile, over connection: ReadyConnection) async throws -> String {
        let agent = ClosureAgent(profile: profile, connection: connection, mode: ActivationMode(deployer: ""))
        let look = try await agent.look()
        let status = ProfileStatus(profile: look.link, generation: look.generation, activation: nil)
        if let event = event(status, of: profile) { return event }
        let place = look.generation?.label ?? "no generation"
        return printable("\(profile.label): \(place); the closure's own agent keeps no record")
    }

    /// Its line of `--json`; nil without.
    private func event(_ status: ProfileStatus, of profile: PlannedProfile) -> String? {
        console.event(EventLine(status, of: profile, at: console.progress.now))
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
        if activation.report == nil, let why = activation.rebootedFor { text += ", told to reboot (\(why))" }
        if let seconds = activation.secondsLeft { text += ", \(seconds) s left" }
        let time = Date(timeIntervalSince1970: TimeInterval(activation.startedAt)).formatted(.iso8601)
        text += ", by \(activation.deployer) at \(time)"
        if let reason = activation.report?.reason { text += ": \(reason)" }
        if let failed = status.failedGenerations, !failed.isEmpty {
            text +=
                "; failed generation\(failed.count == 1 ? "" : "s") \(failed.map(String.init).joined(separator: ", "))"
        }
        return printable(text)
    }
}
