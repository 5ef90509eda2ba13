/// What a switch counts as that ended with some units failed: `onPartialFailure` in the flake.
public enum PartialFailurePolicy: String, Sendable, Codable, CaseIterable {
    /// A failure.
    case rollback
    /// A success that is told with its failed units.
    case warn
}

/// A unit of systemd that is failed after an activation.
public struct FailedUnit: Sendable, Codable, Equatable {
    public var name: String
    /// False if it was failed before too.
    public var isNew: Bool
    /// The last lines of its journal, oldest first.
    public var lines: [String]

    public init(name: String, isNew: Bool, lines: [String]) {
        self.name = name
        self.isNew = isNew
        self.lines = lines
    }

    /// `a.service`, or `a.service (failed before, too)`.
    public var text: String { isNew ? name : "\(name) (failed before, too)" }
}
