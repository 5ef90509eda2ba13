/// What the agent tells the deployer while it works: one JSON object a line on its standard output.
///
/// The key `event` names the case; the other keys are listed with each. Readers skip events that they do not know.
public enum AgentEvent: Sendable, Equatable {
    /// The agent runs and the link to it works: told at once and then every ``StandardLimits/heartbeat`` seconds. No keys.
    case alive
    /// What someone else left is finished first. Keys: `seconds` (at most).
    case recovering(seconds: Int)
    /// The guardian carries the activation from here on. Keys: `previous` (``Generation``, or absent for a first one).
    case started(previous: Generation?)
    /// Something that a person should know, and that changes no verdict. Keys: `text`.
    case warning(String)
    /// Another deploy holds the profile; nothing was changed. Keys: `holder`.
    case locked(LockHolder)
    /// Another deploy holds the profile; this one waits until it ends. Keys: `holder`, `seconds` (at most).
    case waitingForLock(LockHolder, seconds: Int)
    /// The link is on the closure. Keys: `generation` (number), `isNew`.
    case profileSet(generation: Int, isNew: Bool)
    /// One line that the activation wrote. Keys: `stream` (`stdout` or `stderr`), `line`.
    case output(stream: OutputStream, line: String)
    /// The closure's script has ended. Keys: `code` or `signal`, `timedOut`.
    case activationEnded(Exit, timedOut: Bool)
    /// A unit of systemd is failed after an activation that says that some are. Keys: `unit` (``FailedUnit``).
    case unitFailed(FailedUnit)
    /// The activation has succeeded; now its health check is tried. Keys: `seconds` (at most).
    case checkingHealth(seconds: Int)
    /// The health check has succeeded. Keys: `tries`.
    case healthy(tries: Int)
    /// The canary is there. Keys: `seconds` (until the node rolls back).
    case awaitingConfirmation(seconds: Int)
    /// The node goes back by itself. Keys: `reason`.
    case rollingBack(reason: String)
    /// The node reboots into what was put back, as the last resort. Keys: `reason`, `seconds` (until it can be asked again,
    /// at most).
    case rebooting(reason: String, seconds: Int)
    /// The end. Keys: those of ``VerdictReport``.
    case verdict(VerdictReport)
}

/// Which of an activation's two outputs a line came from.
public enum OutputStream: String, Sendable, Codable {
    case stdout, stderr
}

/// Who holds a profile.
public struct LockHolder: Sendable, Codable, Equatable {
    /// As sent by that deployer: `alice@laptop`.
    public var deployer: String
    /// Seconds since 1970, by the node's clock.
    public var since: Int
    public var closure: String
    /// Of the activation that it holds it for; nil for one that deploy-rs started.
    public var nonce: String?

    public init(deployer: String, since: Int, closure: String, nonce: String? = nil) {
        self.deployer = deployer
        self.since = since
        self.closure = closure
        self.nonce = nonce
    }
}

extension AgentEvent: Codable {
    private enum Key: String, CodingKey {
        case event, previous, text, holder, generation, isNew, stream, line, code, signal, timedOut, seconds, reason,
            unit, tries
    }

    private enum Name: String, Codable {
        case alive, recovering, started, warning, locked, waitingForLock, profileSet, output, activationEnded
        case unitFailed, checkingHealth, healthy, awaitingConfirmation, rollingBack, rebooting, verdict
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        switch try values.decode(Name.self, forKey: .event) {
        case .alive: self = .alive
        case .recovering: self = .recovering(seconds: try values.decode(Int.self, forKey: .seconds))
        case .started: self = .started(previous: try values.decodeIfPresent(Generation.self, forKey: .previous))
        case .warning: self = .warning(try values.decode(String.self, forKey: .text))
        case .locked: self = .locked(try values.decode(LockHolder.self, forKey: .holder))
        case .waitingForLock:
            self = .waitingForLock(
                try values.decode(LockHolder.self, forKey: .holder),
                seconds: try values.decode(Int.self, forKey: .seconds))
        case .unitFailed: self = .unitFailed(try values.decode(FailedUnit.self, forKey: .unit))
        case .profileSet:
            self = .profileSet(
                generation: try values.decode(Int.self, forKey: .generation),
                isNew: try values.decode(Bool.self, forKey: .isNew)
            )
        case .output:
            self = .output(
                stream: try values.decode(OutputStream.self, forKey: .stream),
                line: try values.decode(String.self, forKey: .line)
            )
        case .activationEnded:
            let signal = try values.decodeIfPresent(Int32.self, forKey: .signal)
            let exit = try signal.map { Exit.signal($0) } ?? .code(try values.decode(Int32.self, forKey: .code))
            self = .activationEnded(exit, timedOut: try values.decode(Bool.self, forKey: .timedOut))
        case .checkingHealth: self = .checkingHealth(seconds: try values.decode(Int.self, forKey: .seconds))
        case .healthy: self = .healthy(tries: try values.decode(Int.self, forKey: .tries))
        case .awaitingConfirmation:
            self = .awaitingConfirmation(seconds: try values.decode(Int.self, forKey: .seconds))
        case .rollingBack: self = .rollingBack(reason: try values.decode(String.self, forKey: .reason))
        case .rebooting:
            self = .rebooting(
                reason: try values.decode(String.self, forKey: .reason),
                seconds: try values.decode(Int.self, forKey: .seconds))
        case .verdict: self = .verdict(try VerdictReport(from: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(name, forKey: .event)
        switch self {
        case .alive: break
        case .recovering(let seconds): try values.encode(seconds, forKey: .seconds)
        case .started(let previous): try values.encodeIfPresent(previous, forKey: .previous)
        case .warning(let text): try values.encode(text, forKey: .text)
        case .locked(let holder): try values.encode(holder, forKey: .holder)
        case .waitingForLock(let holder, let seconds):
            try values.encode(holder, forKey: .holder)
            try values.encode(seconds, forKey: .seconds)
        case .unitFailed(let unit): try values.encode(unit, forKey: .unit)
        case .profileSet(let generation, let isNew):
            try values.encode(generation, forKey: .generation)
            try values.encode(isNew, forKey: .isNew)
        case .output(let stream, let line):
            try values.encode(stream, forKey: .stream)
            try values.encode(line, forKey: .line)
        case .activationEnded(let exit, let timedOut):
            switch exit {
            case .code(let code): try values.encode(code, forKey: .code)
            case .signal(let number): try values.encode(number, forKey: .signal)
            }
            try values.encode(timedOut, forKey: .timedOut)
        case .checkingHealth(let seconds), .awaitingConfirmation(let seconds):
            try values.encode(seconds, forKey: .seconds)
        case .healthy(let tries): try values.encode(tries, forKey: .tries)
        case .rollingBack(let reason): try values.encode(reason, forKey: .reason)
        case .rebooting(let reason, let seconds):
            try values.encode(reason, forKey: .reason)
            try values.encode(seconds, forKey: .seconds)
        case .verdict(let report): try report.encode(to: encoder)
        }
    }

    private var name: Name {
        switch self {
        case .alive: .alive
        case .recovering: .recovering
        case .started: .started
        case .warning: .warning
        case .locked: .locked
        case .waitingForLock: .waitingForLock
        case .unitFailed: .unitFailed
        case .checkingHealth: .checkingHealth
        case .healthy: .healthy
        case .profileSet: .profileSet
        case .output: .output
        case .activationEnded: .activationEnded
        case .awaitingConfirmation: .awaitingConfirmation
        case .rollingBack: .rollingBack
        case .rebooting: .rebooting
        case .verdict: .verdict
        }
    }
}
