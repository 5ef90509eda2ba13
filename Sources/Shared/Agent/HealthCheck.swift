/// What must succeed on the node before an activation counts as a success: `healthCheck` and `healthTimeout` in the flake.
public struct HealthCheck: Sendable, Codable, Equatable {
    /// Bytes of all commands together: the journal holds them until they have run.
    public static let limit = 16 << 10

    /// Shell texts; in one try all of them succeed, one after the other.
    public var commands: [String]
    /// Seconds for all tries together, 1 or more.
    public var timeout: Int

    public init(_ commands: [String], timeout: Int = StandardLimits.health) {
        self.commands = commands
        self.timeout = timeout
    }
}
