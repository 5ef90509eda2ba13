import Shared

/// Asks profiles what an activation would do, and tells it; holds no way to make connections, and none to change a node.
struct DryWork: Sendable {
    let console: Console
    let mode: ActivationMode

    func run(_ profile: PlannedProfile, on node: ReadyNode, _ tail: OutputTail) async -> ProfileResult {
        var result = ProfileResult(profile: profile, outcome: .notStarted, tail: tail)
        do {
            let connection = try node.connection(of: profile)
            if connection.usesClosureAgent(for: profile) {
                let agent = ClosureAgent(profile: profile, connection: connection, mode: mode, isDry: true)
                result.outcome = await ClosureDryRun(agent: agent, console: console, tail: tail).run()
            } else {
                let activation = DryActivation(
                    profile: profile, connection: DryConnection(connection), console: console, mode: mode,
                    nonce: try Nonce.random(), tail: tail)
                result.outcome = await activation.run()
            }
        } catch {
            result.outcome = .notActivated(error)
        }
        OutcomeReport(profile: profile, console: console, mode: mode).tell(result.outcome)
        return result
    }
}
