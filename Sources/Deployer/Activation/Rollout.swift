import Shared
import Synchronization

/// Works on the profiles of all nodes: nodes side by side, the profiles of one node in order.
///
/// After the first failure nothing new starts anywhere; what is under way ends by its own verdict.
struct Rollout: Sendable {
    /// What is done with one profile; the tail is told its output.
    typealias Work = @Sendable (PlannedProfile, ReadyNode, OutputTail) async -> ProfileResult

    let console: Console
    /// Room for nodes at a time.
    let slots: Slots
    /// Leaves what is unchanged as it is.
    let skipsUnchanged: Bool
    /// Set by the first failure, and by whoever else wants nothing new to start.
    let brake: Brake
    let underWay: UnderWay
    let kind: RunKind

    /// The result of every profile, in the plan's order.
    func run(_ nodes: [ReadyNode], _ work: @escaping Work) async -> [ProfileResult] {
        // Nothing that works on a node throws: an error is an outcome.
        await sideBySide(nodes, limit: max(1, nodes.count)) { await deploy($0, work) }
            .flatMap { (try? $0.get()) ?? [] }
    }

    /// Works on one node once there is room for it.
    func deploy(_ node: ReadyNode, _ work: Work) async -> [ProfileResult] {
        if let results = try? await slots.use({ await deployNow(node, work) }) { return results }
        // Only a cancellation keeps it from its turn.
        return node.plan.profiles.map {
            settled(ProfileResult(profile: $0, outcome: .notStarted, tail: OutputTail()))
        }
    }

    private func deployNow(_ node: ReadyNode, _ work: Work) async -> [ProfileResult] {
        var results: [ProfileResult] = []
        for profile in node.plan.profiles {
            let tail = OutputTail()
            if let generation = skipsUnchanged ? node.unchanged(profile) : nil {
                results.append(unchanged(profile, generation, tail))
                continue
            }
            guard !brake.isSet else {
                results.append(settled(ProfileResult(profile: profile, outcome: .notStarted, tail: tail)))
                continue
            }
            let fate = Fate(kind: kind, profile: profile, isGuarded: !node.usesClosureAgent(for: profile))
            underWay.add(profile, fate: fate)
            console.report(.began(Activity(.activation, node: profile.node, profile: profile.name)))
            let result = settled(await work(profile, node, tail))
            underWay.remove(profile)
            if !result.outcome.isSuccess { brake.set() }
            results.append(result)
        }
        return results
    }

    private func unchanged(_ profile: PlannedProfile, _ generation: Generation, _ tail: OutputTail) -> ProfileResult {
        let place = generation.number.map { "generation \($0)" } ?? generation.path
        console.tell(
            .info, "profile \"\(profile.name)\": unchanged, active and committed on \(place)", node: profile.node)
        return settled(ProfileResult(profile: profile, outcome: .unchanged(generation), tail: tail))
    }

    private func settled(_ result: ProfileResult) -> ProfileResult {
        console.report(.settled(result))
        return result
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
