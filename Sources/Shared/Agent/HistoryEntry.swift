/// How one activation of a profile ended, for people.
public struct HistoryEntry: Sendable, Codable, Equatable {
    public var nonce: String?
    public var closure: String
    /// As sent by the deployer: `alice@laptop`.
    public var deployer: String
    /// The address that it logged in from, as the node saw it; nil where the node could not tell.
    public var client: String?
    /// Seconds since 1970, by the node's clock.
    public var startedAt: Int
    /// Seconds since 1970; nil where it could not be written down.
    public var endedAt: Int?
    /// Where the profile was before; nil for a first one.
    public var previous: Generation?
    /// What it set the profile to; nil if it did not get so far.
    public var generation: Generation?
    public var report: VerdictReport
    /// The activation's last lines of output, oldest first.
    public var lastLines: [String]

    public init(
        nonce: String?, closure: String, deployer: String, client: String?, startedAt: Int, endedAt: Int?,
        previous: Generation?, generation: Generation?, report: VerdictReport, lastLines: [String]
    ) {
        self.nonce = nonce
        self.closure = closure
        self.deployer = deployer
        self.client = client
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.previous = previous
        self.generation = generation
        self.report = report
        self.lastLines = lastLines
    }
}
