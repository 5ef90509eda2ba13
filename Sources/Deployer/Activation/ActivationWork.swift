import Shared

/// Activates profiles for good, and tells how each ended.
struct ActivationWork: Sendable {
    let connector: any Connector
    let console: Console
    let mode: ActivationMode

    func run(_ profile: PlannedProfile, on node: ReadyNode, _ tail: OutputTail) async -> ProfileResult {
        var result = ProfileResult(profile: profile, outcome: .notStarted, tail: tail)
        do {
            let connection = try node.connection(of: profile)
            let nonce = try Nonce.random()
            result.outcome = await outcome(of: profile, connection, nonce, tail)
            OutcomeReport(profile: profile, console: console, mode: mode).tell(result.outcome)
            result.rollback = await look(result, connection, nonce)
        } catch {
            result.outcome = .notActivated(error)
            OutcomeReport(profile: profile, console: console, mode: mode).tell(result.outcome)
        }
        return result
    }

    private func outcome(
        of profile: PlannedProfile, _ connection: ReadyConnection, _ nonce: String, _ tail: OutputTail
    ) async -> ProfileOutcome {
        if connection.usesClosureAgent(for: profile) {
            let agent = ClosureAgent(profile: profile, connection: connection, mode: mode)
            return await ClosureActivation(agent: agent, connector: connector, console: console, tail: tail).run()
        }
        let activation = ProfileActivation(
            profile: profile, connection: connection, connector: connector, console: console, mode: mode,
            nonce: nonce, tail: tail)
        return await activation.run()
    }

    /// After a rollback, with the profile's probe too; nil without one, and for a closure's own agent: it has no record to
    /// compare with, and its verdict was read off the link already.
    func look(_ result: ProfileResult, _ connection: ReadyConnection, _ nonce: String) async -> RollbackFinding? {
        let isOurs = !connection.usesClosureAgent(for: result.profile)
        guard result.outcome.isRolledBack, isOurs || result.profile.probe != nil else { return nil }
        let activity = Activity(.verification, node: result.profile.node, profile: result.profile.name)
        return await console.during(activity) {
            let finding = isOurs ? await check(result, connection, nonce) : nil
            if !mode.boot { await Probe.again(result.profile, console) }
            return finding
        }
    }

    private func check(
        _ result: ProfileResult, _ connection: ReadyConnection, _ nonce: String
    ) async -> RollbackFinding {
        let check = RollbackCheck(
            profile: result.profile, connection: connection, connector: connector, console: console, nonce: nonce,
            boot: mode.boot, tail: result.tail)
        let finding = await check.run()
        OutcomeReport(profile: result.profile, console: console, mode: mode).tell(finding)
        return finding
    }
}
