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
            let activation = ProfileActivation(
                profile: profile, connection: connection, connector: connector, console: console, mode: mode,
                nonce: nonce, tail: tail)
            result.outcome = await activation.run()
            OutcomeReport(profile: profile, console: console, mode: mode).tell(result.outcome)
            result.rollback = await look(result, connection, nonce)
        } catch {
            result.outcome = .notActivated(error)
            OutcomeReport(profile: profile, console: console, mode: mode).tell(result.outcome)
        }
        return result
    }

    /// After a rollback; nil without one.
    func look(_ result: ProfileResult, _ connection: ReadyConnection, _ nonce: String) async -> RollbackFinding? {
        guard result.outcome.isRolledBack else { return nil }
        let check = RollbackCheck(
            profile: result.profile, connection: connection, connector: connector, console: console, nonce: nonce,
            boot: mode.boot, tail: result.tail)
        let activity = Activity(.verification, node: result.profile.node, profile: result.profile.name)
        let finding = await console.during(activity) { await check.run() }
        OutcomeReport(profile: result.profile, console: console, mode: mode).tell(finding)
        return finding
    }
}
