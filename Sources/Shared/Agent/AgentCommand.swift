/// The agent's command line, in both directions: what `deploy` sends and what `activate` reads.
///
/// `activate`, `wait` and `revoke` are deploy-rs's, word for word; the rest is this project's own.
public enum AgentCommand: Sendable, Equatable {
    case activate(ActivateRequest)
    /// deploy-rs's `wait`: until the canary of a closure appears.
    case wait(WaitRequest)
    case revoke(RevokeRequest)
    /// Takes the canary and waits for the verdict, printed as one ``AgentEvent/verdict(_:)``; a request that only observes
    /// ends with ``AgentEvent/awaitingConfirmation(seconds:)`` where there is something to confirm.
    case confirm(ConfirmRequest)
    /// Prints one ``ProfileStatus`` a line for each profile, and changes nothing.
    case status(StatusRequest)
    /// Finishes what was interrupted in these profiles, and prints events; without any, in all that there are on the
    /// machine, as their owners, and prints plain lines. In the background: ends once a guardian has each of them.
    case recover([ProfileLocation], background: Bool = false)
    /// Keeps these store paths, and the agent itself, from being collected until they are activated, for a day at
    /// most; prints nothing. Exit status 1, with the reason on standard error, if it cannot.
    case hold([String])
}

/// Options before the subcommand.
public struct AgentOptions: Sendable, Equatable {
    public var debugLogs = false
    /// Absolute path of a folder for a log file of this run.
    public var logDirectory: String?

    public init(debugLogs: Bool = false, logDirectory: String? = nil) {
        self.debugLogs = debugLogs
        self.logDirectory = logDirectory
    }

    var words: [String] {
        (debugLogs ? ["--debug-logs"] : []) + (logDirectory.map { ["--log-dir", $0] } ?? [])
    }
}

public struct ActivateRequest: Sendable, Equatable {
    /// What only this project's deployer asks for; deploy-rs's leaves it out.
    public struct Session: Sendable, Equatable {
        /// 32 hexadecimal digits that a confirmation must know.
        public var nonce: String
        /// Seconds, 1 or more; no limit if nil.
        public var activationTimeout: Int?
        /// Who deploys, and from where: `alice@laptop`; shown to others, never trusted.
        public var deployer: String
        public var onPartialFailure = PartialFailurePolicy.rollback
        /// Run after the activation, before it is confirmed; none if nil.
        public var healthCheck: HealthCheck?
        /// Units of systemd that have to run after a rollback.
        public var criticalUnits: [String] = []
        /// Reboot the machine, once, where a rollback does not succeed otherwise; for root's profiles.
        public var rebootIfStuck = false
        /// How many seconds to wait for another deploy that holds the profile, 0 to 65535.
        public var waitLock = 0

        public init(nonce: String, activationTimeout: Int?, deployer: String) {
            self.nonce = nonce
            self.activationTimeout = activationTimeout
            self.deployer = deployer
        }
    }

    /// Absolute store path.
    public var closure: String
    public var profile: ProfileLocation
    /// Absolute path; deploy-rs's canary lies there, and it is `TMPDIR` of the activation where `deploy` was given one.
    public var tempPath: String
    /// Seconds, 0 to 65535.
    public var confirmTimeout: Int
    public var magicRollback = false
    public var autoRollback = false
    public var dryActivate = false
    public var boot = false
    public var session: Session?

    public init(closure: String, profile: ProfileLocation, tempPath: String, confirmTimeout: Int) {
        self.closure = closure
        self.profile = profile
        self.tempPath = tempPath
        self.confirmTimeout = confirmTimeout
    }
}

public struct WaitRequest: Sendable, Equatable {
    public var closure: String
    public var tempPath: String
    /// Seconds; 240 if nil, as in deploy-rs.
    public var activationTimeout: Int?

    public init(closure: String, tempPath: String, activationTimeout: Int? = nil) {
        self.closure = closure
        self.tempPath = tempPath
        self.activationTimeout = activationTimeout
    }
}

public struct RevokeRequest: Sendable, Equatable {
    public var profile: ProfileLocation
    /// The activation to take back; deploy-rs's form leaves it out, and takes back the last one recorded.
    public var nonce: String?
    /// Why, for the record; only with a nonce.
    public var reason: String?

    public init(profile: ProfileLocation, nonce: String? = nil) {
        self.profile = profile
        self.nonce = nonce
    }
}

public struct ConfirmRequest: Sendable, Equatable {
    public var profile: ProfileLocation
    public var nonce: String
    /// Confirms nothing: a connection that was made before the activation ended does not prove that another can be made.
    public var observes = false
    /// With ``observes``: one that has not begun may do so yet, and is waited for.
    public var awaitsStart = false

    public init(profile: ProfileLocation, nonce: String) {
        self.profile = profile
        self.nonce = nonce
    }
}

public struct StatusRequest: Sendable, Equatable {
    public var profiles: [ProfileLocation]
    /// How many of the last activations to tell of, 0 to 65535.
    public var history: Int

    public init(_ profiles: [ProfileLocation], history: Int = 0) {
        self.profiles = profiles
        self.history = history
    }
}

extension StatusRequest: ExpressibleByArrayLiteral {
    public init(arrayLiteral profiles: ProfileLocation...) { self.init(profiles) }
}

extension AgentCommand {
    /// The words after the program's name.
    public func words(_ options: AgentOptions = AgentOptions()) -> [String] {
        options.words + ownWords
    }

    private var ownWords: [String] {
        switch self {
        case .activate(let request): request.words
        case .wait(let request):
            ["wait", request.closure, "--temp-path", request.tempPath]
                + (request.activationTimeout.map { ["--activation-timeout", String($0)] } ?? [])
        case .revoke(let request):
            ["revoke"] + request.profile.words + (request.nonce.map { ["--nonce", $0] } ?? [])
                + (request.reason.map { ["--reason=\($0)"] } ?? [])
        case .confirm(let request):
            ["confirm"] + request.profile.words + ["--nonce", request.nonce]
                + (request.observes ? ["--observe"] : []) + (request.awaitsStart ? ["--await-start"] : [])
        case .status(let request):
            ["status"] + request.profiles.flatMap(\.words)
                + (request.history > 0 ? ["--history", String(request.history)] : [])
        case .recover(let profiles, let background):
            ["recover"] + (background ? ["--background"] : []) + profiles.flatMap(\.words)
        case .hold(let paths): ["hold"] + paths
        }
    }
}

extension ActivateRequest {
    fileprivate var words: [String] {
        var words = ["activate", closure] + profile.words
        words += ["--temp-path", tempPath, "--confirm-timeout", String(confirmTimeout)]
        if magicRollback { words.append("--magic-rollback") }
        if autoRollback { words.append("--auto-rollback") }
        if dryActivate { words.append("--dry-activate") }
        if boot { words.append("--boot") }
        guard let session else { return words }
        words += ["--nonce", session.nonce, "--deployer", session.deployer]
        if session.onPartialFailure != .rollback {
            words += ["--on-partial-failure", session.onPartialFailure.rawValue]
        }
        if let check = session.healthCheck {
            // A text may begin with a dash.
            words += check.commands.map { "--health-check=\($0)" } + ["--health-timeout", String(check.timeout)]
        }
        words += session.criticalUnits.map { "--critical-unit=\($0)" }
        if session.rebootIfStuck { words.append("--reboot-if-stuck") }
        if session.waitLock > 0 { words += ["--wait-lock", String(session.waitLock)] }
        return words + (session.activationTimeout.map { ["--activation-timeout", String($0)] } ?? [])
    }
}
