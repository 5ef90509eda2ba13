import Shared
import Synchronization

/// One profile of a run with how its deploy ended.
struct ProfileResult: Sendable {
    let profile: PlannedProfile
    var outcome: ProfileOutcome
}

/// Activates the profiles of all nodes: nodes side by side, the profiles of one node in order.
///
/// After the first failure nothing new starts anywhere; what is under way ends by its own verdict.
struct Rollout: Sendable {
    let connector: any Connector
    let console: Console
    let mode: ActivationMode
    /// How many nodes at once, 1 or more.
    let limit: Int
    /// Set by the first failure, and by whoever else wants nothing new to start.
    let brake: Brake

    /// The result of every profile, in the plan's order.
    func run(_ nodes: [ReadyNode]) async -> [ProfileResult] {
        // Nothing that deploys a node throws: an error is an outcome.
        await sideBySide(nodes, limit: limit) { await deploy($0) }.flatMap { (try? $0.get()) ?? [] }
    }

    private func deploy(_ node: ReadyNode) async -> [ProfileResult] {
        var results: [ProfileResult] = []
        for profile in node.plan.profiles {
            let outcome = brake.isSet ? .notStarted : await activate(profile, on: node)
            if !outcome.isSuccess { brake.set() }
            results.append(ProfileResult(profile: profile, outcome: outcome))
        }
        return results
    }

    private func activate(_ profile: PlannedProfile, on node: ReadyNode) async -> ProfileOutcome {
        do {
            let connection = try node.connection(of: profile)
            let outcome: ProfileOutcome
            if connection.usesClosureAgent(for: profile) {
                let agent = ClosureAgent(profile: profile, connection: connection, mode: mode)
                outcome = await ClosureActivation(agent: agent, connector: connector, console: console).run()
            } else {
                let activation = ProfileActivation(
                    profile: profile, connection: connection, connector: connector, console: console, mode: mode,
                    nonce: try Nonce.random())
                outcome = await activation.run()
            }
            tell(outcome, of: profile)
            return outcome
        } catch {
            return .notActivated(error)
        }
    }

    /// What the events have not told already.
    private func tell(_ outcome: ProfileOutcome, of profile: PlannedProfile) {
        let subject = "profile \"\(profile.name)\""
        switch outcome {
        case .ended(let report, _): ActivationLog(profile: profile, console: console, mode: mode).tell(report)
        case .dryRun(let exit) where exit.isSuccess:
            console.tell(.info, "\(subject): dry run done, nothing changed", node: profile.node)
        case .notActivated(let error):
            console.tell(.error, "\(subject): not activated, nothing changed: \(describe(error))", node: profile.node)
        case .unknown(let error):
            console.tell(
                .error, "\(subject): the verdict is not known: \(describe(error))", node: profile.node)
            console.tell(
                .hint, "once the node answers again: deploy status '<flake>#\(profile.node).\(profile.name)'",
                node: profile.node)
        default: break
        }
    }
}

/// A switch that says: start nothing new.
final class Brake: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
}
