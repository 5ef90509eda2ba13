/// What `deploy` and `activate` exit with; the help prints this table.
public enum ExitCode: Int32, Sendable, CaseIterable {
    case done = 0
    case failed = 1
    case usage = 2
    case left = 3
    case rolledBack = 4
    case stuck = 5
    case unreachable = 6
    case unknown = 7
    case locked = 8
    case declined = 9
    case needsReboot = 10
    case interrupted = 130

    /// One line for the help and the README.
    public var meaning: String {
        switch self {
        case .done: "all deployed, or nothing to do"
        case .failed: "failed before anything changed"
        case .usage: "wrong command line"
        case .left: "an activation failed and autoRollback is off: the node is on the new generation"
        case .rolledBack: "something failed and what was changed has been rolled back"
        case .stuck: "something failed and was not, or only in part, rolled back: look at the nodes named"
        case .unreachable: "a node could not be reached or refused the login; nothing changed there"
        case .unknown: "contact was lost and the verdict is not known: `deploy status` asks again"
        case .locked: "another deploy holds a profile; nothing changed there"
        case .declined: "the question was not answered with yes; nothing changed"
        case .needsReboot:
            "rolled back, for the new system needs a reboot: deploy it with --boot, then restart the node"
        case .interrupted: "interrupted"
        }
    }
}

extension Verdict {
    /// The exit code that stands for it.
    public var exitCode: ExitCode {
        switch self {
        case .committed: .done
        case .rolledBack: .rolledBack
        case .failed: .failed
        case .left: .left
        case .stuck: .stuck
        }
    }
}
