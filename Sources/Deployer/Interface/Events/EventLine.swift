import Shared

/// One line of `--json`: a JSON object whose key `event` says which of the other keys there are.
///
/// `events.json` in the project's top folder is the schema. Keys may be added without a new ``schemaVersion``; it changes when
/// one goes away or changes its meaning.
struct EventLine: Sendable, Encodable {
    static let schemaVersion = 1

    enum Name: String, Sendable, Encodable {
        case begin, plan, phase, progress, started, awaiting, outcome, status, message, end
    }

    struct Profile: Sendable, Encodable {
        var node: String
        var profile: String
        var host: String
        var user: String
        var path: String
    }

    struct Counts: Sendable, Encodable {
        var built: Int
        var toBuild: Int
        var building: Int
        var failed: Int
        var fetched: Int
        var toFetch: Int
        var fetchedBytes: Int
    }

    let schema = EventLine.schemaVersion
    var event: Name
    /// Seconds since the run began.
    var at: Double
    var node: String?
    var profile: String?

    var version: String?
    var time: String?
    var profiles: [Profile]?
    var phase: String?
    /// `began` or `ended`.
    var state: String?
    var counts: Counts?
    /// Sent to the node in this phase: so far, or until its end.
    var bytes: Int?
    var previous: Generation?
    var generation: Generation?
    /// Until the node rolls back by itself.
    var secondsLeft: Int?
    var verdict: String?
    var reason: String?
    var rollbackFailure: String?
    /// After a rollback: whether a second look found what was recorded.
    var verified: Bool?
    var exitCode: Int32?
    /// Seconds.
    var took: Double?
    var status: ProfileStatus?
    var level: String?
    var text: String?

    init(_ event: Name, at time: Duration, _ activity: Activity? = nil) {
        self.event = event
        at = Self.seconds(time)
        node = activity?.node?.text
        profile = activity?.profile?.text
    }

    /// Whole milliseconds.
    static func seconds(_ duration: Duration) -> Double { (duration.seconds * 1000).rounded() / 1000 }
}

extension EventLine {
    /// What a node says about a profile, without what would confirm for it.
    init(_ status: ProfileStatus, of profile: PlannedProfile, at time: Duration) {
        self.init(.status, at: time, Activity(.preflight, node: profile.node, profile: profile.name))
        self.status = status
        self.status?.activation?.nonce = nil
        self.status?.holder?.nonce = nil
    }

    /// - Returns: nil for an event that lines of their own tell about
    init?(_ event: ProgressEvent, at time: Duration, _ model: ProgressModel) {
        switch event {
        case .planned(let plan):
            self.init(.plan, at: time)
            profiles = plan.profiles.map {
                Profile(
                    node: $0.node.text, profile: $0.name.text, host: $0.destination.host, user: $0.user, path: $0.path)
            }
        case .began(let activity), .ended(let activity):
            self.init(.phase, at: time, activity)
            phase = activity.phase.rawValue
            if case .began = event {
                state = "began"
            } else {
                state = "ended"
                let sent = model.ended.last { $0.activity == activity }?.bytes ?? 0
                if sent > 0 { bytes = sent }
            }
        case .counted(let counts, let activity):
            self.init(.progress, at: time, activity)
            phase = activity.phase.rawValue
            self.counts = Counts(
                built: counts.builds.done, toBuild: counts.builds.expected, building: counts.builds.running,
                failed: counts.builds.failed, fetched: counts.copies.done, toFetch: counts.copies.expected,
                fetchedBytes: counts.bytes)
        case .sent(_, let node):
            guard let span = model.nodes.first(where: { $0.name == node })?.open.last else { return nil }
            self.init(.progress, at: time, span.activity)
            phase = span.activity.phase.rawValue
            bytes = span.bytes
        case .started(let activity, let previous):
            self.init(.started, at: time, activity)
            self.previous = previous
        case .awaiting(let activity, let seconds):
            self.init(.awaiting, at: time, activity)
            secondsLeft = seconds
        // The message tells why.
        case .failed: return nil
        case .settled(let result): self.init(result, at: time, model)
        }
    }

    private init(_ result: ProfileResult, at time: Duration, _ model: ProgressModel) {
        let known = model.profile(result.profile.node, result.profile.name)
        self.init(.outcome, at: time, Activity(.activation, node: result.profile.node, profile: result.profile.name))
        previous = known?.previous
        verdict = result.isHeld ? "locked" : result.outcome.word
        exitCode = result.exitCode.rawValue
        took = known?.time.map(Self.seconds)
        switch result.outcome {
        case .ended(let report, _), .revoked(let report): take(report)
        case .notRevoked(let report, let error):
            take(report)
            reason = describe(error)
        case .unchanged(let generation): self.generation = generation
        case .notPrepared(let error), .notActivated(let error), .unknown(let error): reason = describe(error)
        case .locked(let holder): reason = "held by \(holder.deployer)"
        case .dryRun, .notStarted: break
        }
        guard let rollback = result.rollback else { return }
        verified = rollback == .verified
        reason = rollback.reason ?? reason
    }

    private mutating func take(_ report: VerdictReport) {
        generation = report.generation
        reason = report.reason
        rollbackFailure = report.rollbackFailure
    }
}

extension ProfileOutcome {
    /// The `verdict` of an outcome's line: a ``Verdict``, or how it came that there is none.
    fileprivate var word: String {
        switch self {
        case .notStarted: "notStarted"
        case .notPrepared: "notReady"
        case .unchanged: "unchanged"
        case .ended(let report, _): report.verdict.rawValue
        case .dryRun(let exit): exit.isSuccess ? "dryRun" : "dryRunFailed"
        case .locked: "locked"
        case .notActivated: "failed"
        case .unknown: "unknown"
        case .revoked(let report): report.verdict == .rolledBack ? "revoked" : report.verdict.rawValue
        case .notRevoked: "notRevoked"
        }
    }
}
