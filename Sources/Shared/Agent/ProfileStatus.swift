/// What a node says about one profile, without changing anything: one JSON object a line.
public struct ProfileStatus: Sendable, Codable, Equatable {
    /// Where an activation stands on the node.
    public enum State: String, Sendable, Codable {
        case staged, activating, awaitingConfirmation, rollingBack
        case committed, rolledBack, failed, left, stuck
    }

    /// The newest activation in the profile's journal.
    public struct Activation: Sendable, Codable, Equatable {
        public var state: State
        public var nonce: String?
        public var closure: String
        public var deployer: String
        /// Seconds since 1970, by the node's clock.
        public var startedAt: Int
        /// Where the profile was before; nil for a first one.
        public var previous: Generation?
        /// The verdict's report, once there is one.
        public var report: VerdictReport?
        /// True while a guardian carries it. False with an unfinished state: it was interrupted; recovery ends it.
        public var isGuarded: Bool
        /// Seconds until the guardian rolls back by itself; only in ``State/awaitingConfirmation``.
        public var secondsLeft: Int?
        /// The last lines that the activation wrote, once it has ended.
        public var lastLines: [String]?
        /// True where it is for the next boot only.
        public var isForBoot: Bool?
        /// Why its rollback had the node reboot, or will in a moment; nil where it has not.
        public var rebootedFor: String?

        public init(
            state: State, nonce: String?, closure: String, deployer: String, startedAt: Int, previous: Generation?,
            report: VerdictReport?, isGuarded: Bool, secondsLeft: Int?
        ) {
            self.state = state
            self.nonce = nonce
            self.closure = closure
            self.deployer = deployer
            self.startedAt = startedAt
            self.previous = previous
            self.report = report
            self.isGuarded = isGuarded
            self.secondsLeft = secondsLeft
        }
    }

    /// The NixOS system that runs, where the profile's generation is one.
    public struct System: Sendable, Codable, Equatable {
        /// Store path.
        public var running: String
        /// Store path of the one that the profile's generation stands for.
        public var ofGeneration: String
        /// True where that one runs, one of its specialisations, or the one from before the newest activation.
        public var isAsRecorded: Bool

        public init(running: String, ofGeneration: String, isAsRecorded: Bool) {
            self.running = running
            self.ofGeneration = ofGeneration
            self.isAsRecorded = isAsRecorded
        }
    }

    /// Absolute path of the profile's link.
    public var profile: String
    /// Where the link is now; nil if there is none.
    public var generation: Generation?
    public var activation: Activation?
    /// Who holds the profile just now. It need not be whose activation is the newest: that of one who still finishes
    /// an interrupted one, before its own, is not written down yet.
    public var holder: LockHolder?
    /// Generations that are still there and whose activation was undone or failed, by the history; lowest first.
    public var failedGenerations: [Int]?
    /// The last activations, newest first, where they were asked for.
    public var history: [HistoryEntry]?
    /// Nil where that is no NixOS system.
    public var system: System?

    public init(
        profile: String, generation: Generation?, activation: Activation?, holder: LockHolder? = nil,
        system: System? = nil
    ) {
        self.profile = profile
        self.generation = generation
        self.activation = activation
        self.holder = holder
        self.system = system
    }
}
