/// How an activation ended; written on the node before anyone is told.
public enum Verdict: String, Sendable, Codable, CaseIterable {
    /// The new generation is active and stays.
    case committed
    /// The recorded generation is active again.
    case rolledBack
    /// Nothing was changed.
    case failed
    /// The activation failed and `autoRollback` is off: the link is on the new generation.
    case left
    /// The rollback failed too: someone has to look.
    case stuck
}

/// One generation of a profile.
public struct Generation: Sendable, Codable, Hashable {
    /// 1 or more; nil where the link does not name a numbered generation.
    public var number: Int?
    /// Absolute store path that it points to.
    public var path: String

    public init(number: Int?, path: String) {
        self.number = number
        self.path = path
    }
}

/// A verdict with the state of the profile that goes with it.
public struct VerdictReport: Sendable, Codable, Equatable {
    public var verdict: Verdict
    /// Where the profile's link is now; nil if there is no link.
    public var generation: Generation?
    /// Why it ended so, one sentence; nil for a plain success.
    public var reason: String?
    /// For ``Verdict/stuck``: what failed in the rollback.
    public var rollbackFailure: String?
    /// True where the new system can only take effect by a reboot: `--boot`, then restart the node.
    public var needsReboot: Bool?

    public init(_ verdict: Verdict, generation: Generation?, reason: String? = nil, rollbackFailure: String? = nil) {
        self.verdict = verdict
        self.generation = generation
        self.reason = reason
        self.rollbackFailure = rollbackFailure
    }
}

extension VerdictReport {
    /// The exit code that stands for it.
    public var exitCode: ExitCode {
        needsReboot == true && verdict == .rolledBack ? .needsReboot : verdict.exitCode
    }
}
