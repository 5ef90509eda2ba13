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
    /// Room for nodes at a time.
    let slots: Slots
    /// Leaves what is unchanged as it is.
    let skipsUnchanged: Bool
    /// Set by the first failure, and by whoever else wants nothing new to start.
    let brake: Brake

    /// The result of every profile, in the plan's order.
    func run(_ nodes: [ReadyNode]) async -> [ProfileResult] {
        // Nothing that deploys a node throws: an error is an outcome.
        await sideBySide(nodes, limit: max(1, nodes.count)) { await deploy($0) }.flatMap { (try? $0.get()) ?? [] }
    }

    /// Deploys one node once there is room for it.
    func deploy(_ node: ReadyNode) async -> [ProfileResult] {
        let results = try? await slots.use { await deployNow(node) }
        // Only a cancellation keeps it from its turn.
        return results ?? node.plan.profiles.map { ProfileResult(profile: $0, outcome: .notStarted) }
    }

    private func deployNow(_ node: ReadyNode) async -> [ProfileResult] {
        var results: [ProfileResult] = []
        for profile in node.plan.profiles {
            let outcome = await outcome(of: profile, on: node)
            if !outcome.isSuccess { brake.set() }
            results.append(ProfileResult(profile: profile, outcome: outcome))
        }
        return results
    }

    private func outcome(of profile: PlannedProfile, on node: ReadyNode) async -> ProfileOutcome {
        if skipsUnchanged, let generation = node.unchanged(profile) {
            let place = generation.number.map { "generation \($0)" } ?? generation.path
            console.tell(
                .info, "profile \"\(profile.name)\": unchanged, active and committed on \(place)", node: profile.node)
            return .unchanged(generation)
        }
        return brake.isSet ? .notStarted : await activate(profile, on: node)
    }

    private func activate(_ profile: PlannedProfile, on node: ReadyNode) async -> ProfileOutcome {
        do {
            let activation = ProfileActivation(
                profile: profile, connection: try node.connection(of: profile), connector: connector,
                console: console, mode: mode, nonce: try Nonce.random())
            let outcome = await activation.run()
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
    /// Open once it is set.
    let gate = Gate()
    var isSet: Bool { value.withLock { $0 } }

    func set() {
        value.withLock { $0 = true }
        gate.open()
    }
}
