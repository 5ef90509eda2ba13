import Shared

/// Something that happened in a run, for whoever shows or writes down how far it is.
enum ProgressEvent: Sendable {
    /// What will be deployed is known.
    case planned(Plan)
    case began(Activity)
    case ended(Activity)
    /// How far Nix is with what it builds in this activity.
    case counted(BuildCounts, Activity)
    /// So many more bytes went to a node.
    case sent(Int, NodeName)
    /// The node goes on from this generation, or has none.
    case started(Activity, previous: Generation?)
    /// The node rolls back by itself unless a confirmation comes within so many seconds.
    case awaiting(Activity, seconds: Int)
    /// The node cannot be made ready, unless something begins on it once more.
    case failed(NodeName, any Error)
    case settled(ProfileResult)
}
