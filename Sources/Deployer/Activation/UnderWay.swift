import Synchronization

/// The activations that are under way, each with what becomes of it if nobody waits for it any more.
final class UnderWay: Sendable {
    private let profiles = Mutex<[(profile: PlannedProfile, fate: Fate)]>([])

    /// In the order in which they began.
    var all: [(profile: PlannedProfile, fate: Fate)] { profiles.withLock { $0 } }

    /// Whether the nodes bring all of it to an end.
    var isGuarded: Bool { all.allSatisfy(\.fate.isGuarded) }

    func add(_ profile: PlannedProfile, fate: Fate) { profiles.withLock { $0.append((profile, fate)) } }

    func remove(_ profile: PlannedProfile) {
        profiles.withLock { $0.removeAll { $0.profile.label == profile.label } }
    }
}

/// What becomes of a profile under way if nobody waits for it any more.
struct Fate: Sendable, CustomStringConvertible {
    var kind: RunKind
    var profile: PlannedProfile
    /// False for deploy-rs's agent, which lives no longer than its login: it ignores the hang-up, but ends at the next
    /// line that it cannot write, and it writes before each of its steps, the rollback too.
    var isGuarded: Bool

    var description: String {
        if kind == .dry { return "a dry run, which changes nothing" }
        guard isGuarded else {
            return "left alone, deploy-rs's agent ends before its next step, without a rollback: the profile stays on "
                + "the generation that it is on then"
        }
        if kind == .live && profile.magicRollback {
            return "left alone, the node rolls it back: nobody confirms it within \(profile.confirmTimeout) s"
        }
        let failure = profile.autoRollback ? "rolls it back if it fails" : "leaves it on the new generation if it fails"
        return "left alone, the node carries it through to its end, and \(failure)"
    }
}

/// What a run does to its nodes.
enum RunKind: Sendable {
    case dry, boot, live
}
