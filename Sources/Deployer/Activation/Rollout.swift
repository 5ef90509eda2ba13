import Shared
import Synchronization

/// Works on the profiles of all nodes: nodes side by side, the profiles of one node in order.
///
/// After the first failure nothing new starts anywhere; what is under way ends by its own verdict.
struct Rollout: Sendable {
    /// What is done with one profile; the tail is told its output.
    typealias Work = @Sendable (PlannedProfile, ReadyNode, OutputTail) async -> ProfileResult

    let console: Console
    /// How many nodes at once, 1 or more.
    let limit: Int
    /// Set by the first failure, and by whoever else wants nothing new to start.
    let brake: Brake
    let underWay: UnderWay
    let kind: RunKind

    /// The result of every profile, in the plan's order.
    func run(_ nodes: [ReadyNode], _ work: @escaping Work) async -> [ProfileResult] {
        // Nothing that works on a node throws: an error is an outcome.
        await sideBySide(nodes, limit: limit) { await deploy($0, work) }.flatMap { (try? $0.get()) ?? [] }
    }

    private func deploy(_ node: ReadyNode, _ work: Work) async -> [ProfileResult] {
        var results: [ProfileResult] = []
        for profile in node.plan.profiles {
            let tail = OutputTail()
            guard !brake.isSet else {
                results.append(settled(ProfileResult(profile: profile, outcome: .notStarted, tail: tail)))
                continue
            }
            underWay.add(profile, fate: kind.fate(of: profile))
            console.report(.began(Activity(.activation, node: profile.node, profile: profile.name)))
            let result = settled(await work(profile, node, tail))
            underWay.remove(profile)
            if !result.outcome.isSuccess { brake.set() }
            results.append(result)
        }
        return results
    }

    private func settled(_ result: ProfileResult) -> ProfileResult {
        console.report(.settled(result))
        return result
    }
}

/// A switch that says: start nothing new.
final class Brake: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
}
