import Shared

/// Asks profiles what an activation would do, and tells it; holds no way to make connections, and none to change a node.
struct DryWork: Sendable {
    let console: Console
    let mode: ActivationMode

    func run(_ profile: PlannedProfile, on node: ReadyNode, _ tail: OutputTail) async -> ProfileResult {
        var result = ProfileResult(profile: profile, outcome: .notStarted, tail: tail)
        do {
            let connection = try node.connection(of: profile)
            let dry = DryConnection(connection)
            if connection.usesClosureAgent(for: profile) {
                result.outcome = await ClosureDryRun(
                    profile: profile, connection: dry, console: console, mode: mode, tail: tail
                ).run()
            } else {
                result.outcome = await DryActivation(
                    profile: profile, connection: dry, console: console, mode: mode, nonce: try Nonce.random(),
                    tail: tail
                ).run()
            }
        } catch {
            result.outcome = .notActivated(error)
        }
        OutcomeReport(profile: profile, console: console, mode: mode).tell(result.outcome)
        return result
    }
}
