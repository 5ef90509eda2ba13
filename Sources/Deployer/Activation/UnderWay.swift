import Synchronization

/// The activations that are under way, each with what becomes of it if nobody waits for it any more.
final class UnderWay: Sendable {
    private let profiles = Mutex<[(profile: PlannedProfile, fate: String)]>([])

    /// In the order in which they began.
    var all: [(profile: PlannedProfile, fate: String)] { profiles.withLock { $0 } }

    func add(_ profile: PlannedProfile, fate: String) { profiles.withLock { $0.append((profile, fate)) } }

    func remove(_ profile: PlannedProfile) {
        profiles.withLock { $0.removeAll { $0.profile.label == profile.label } }
    }
}

/// What a run does to its nodes.
enum RunKind: Sendable {
    case dry, boot, live

    /// What becomes of a profile under way if nobody waits for it any more.
    func fate(of profile: PlannedProfile) -> String {
        if self == .dry { return "a dry run, which changes nothing" }
        if self == .live && profile.magicRollback {
            return "left alone, the node rolls it back: nobody confirms it within \(profile.confirmTimeout) s"
        }
        let failure = profile.autoRollback ? "rolls it back if it fails" : "leaves it on the new generation if it fails"
        return "left alone, the node carries it through to its end, and \(failure)"
    }
}
