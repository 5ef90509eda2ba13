import Glibc
import Shared

/// The agent's durable record of one activation: all that is needed to finish or undo it, by whoever comes next.
struct Record: Sendable, Codable, Equatable {
    /// The undo log: what has been begun or done, written down before it is relied on.
    struct Progress: Sendable, Codable, Equatable {
        /// `nix-env --set` may have run.
        var settingProfile = false
        /// It has: the link is on this.
        var profileSet: Generation?
        /// False if the profile had this generation before.
        var isNew = false
        /// The closure's script may have run.
        var scriptStarted = false
        /// Units of systemd that were failed before that, as far as they are kept; nil where nobody has asked.
        var failedUnits: [String]?
        /// In which boot of the machine.
        var scriptBootID: String?
        /// A plain system may be the one that boots.
        var bootStarted = false
    }

    /// A reboot of the machine, the last resort of a rollback.
    struct Reboot: Sendable, Codable, Equatable {
        /// Of the boot in which it was begun.
        var bootID: String
        var why: String
    }

    static let newestVersion = 1

    var version = newestVersion
    /// 32 hexadecimal digits; the nonce where the deployer gave one.
    var id: String
    var nonce: String?
    var state: ProfileStatus.State
    var closure: String
    /// Absolute path of the profile's link.
    var link: String
    var previous: Generation?
    /// What the link said before, word for word.
    var previousTarget: String?
    /// The NixOS system that ran before, by its folder in the store; nil where none did.
    var runningSystem: String?
    var policy: Activation.Policy
    var onPartialFailure: PartialFailurePolicy
    /// Seconds.
    var confirmTimeout: Int
    /// Seconds; none if nil.
    var activationTimeout: Int?
    /// Until it has run; none if nil.
    var healthCheck: HealthCheck?
    /// To be started after a rollback; nil for none.
    var criticalUnits: [String]?
    var tempPath: String
    var deployer: String
    /// The address that the deployer came from; nil where the node could not tell.
    var client: String?
    /// Seconds since 1970.
    var startedAt: Int
    /// Seconds since 1970; nil until there is a verdict.
    var endedAt: Int?
    var bootID: String
    /// Who carries it; whether it lives is told by the lock alone.
    var guardian: ProcessIdentity?
    /// When the node rolls back, in nanoseconds on the clock that counts since boot.
    var deadline: Int64?
    var progress = Progress()
    /// What went wrong and was let pass.
    var note: String?
    var needsReboot = false
    /// Why it is rolled back.
    var reason: String?
    /// Written down before it is begun; nil for none.
    var reboot: Reboot?
    var report: VerdictReport?
    /// The activation's last lines of output.
    var lastLines: [String] = []

    /// True once there is a verdict.
    var isFinished: Bool { report != nil }
    /// Who holds the profile's lock while it is carried.
    var holder: LockHolder { LockHolder(deployer: deployer, since: startedAt, closure: closure, nonce: nonce) }
    var canary: String { "canary-\(id)" }
    var confirmed: String { "confirmed-\(id)" }
    var expired: String { "expired-\(id)" }
    var revoked: String { "revoked-\(id)" }
    /// Holds why it was.
    var revocation: String { "revocation-\(id)" }
    var canaryNames: [String] { [canary, confirmed, expired, revoked, revocation] }
}

extension Record {
    /// The staged record of a request, with the profile as it is now.
    ///
    /// - Parameter client: where the deployer came from; see ``clientAddress(_:)``
    init(
        _ request: ActivateRequest, _ link: ProfileLink, kind: Activation.Kind = .wrapped, client: String? = nil
    ) throws {
        id = try request.session?.nonce ?? Nonce.random()
        nonce = request.session?.nonce
        state = .staged
        closure = request.closure
        self.link = link.path
        previous = try link.generation()
        previousTarget = try link.target()
        policy = Activation.Policy(
            magicRollback: request.magicRollback, autoRollback: request.autoRollback, boot: request.boot, kind: kind)
        onPartialFailure = request.session?.onPartialFailure ?? .rollback
        runningSystem = NixOSSystem.running()?.path
        confirmTimeout = request.confirmTimeout
        activationTimeout = request.session?.activationTimeout
        healthCheck = request.session?.healthCheck
        criticalUnits = request.session.flatMap { $0.criticalUnits.isEmpty ? nil : $0.criticalUnits }
        policy.checksHealth = healthCheck != nil
        policy.rebootsIfStuck = request.session?.rebootIfStuck == true && geteuid() == 0
        tempPath = request.tempPath
        deployer = request.deployer
        self.client = client
        startedAt = time(nil)
        bootID = currentBootID()
    }
}

extension Record {
    /// A text of any length as records keep it.
    ///
    /// - Parameter limit: in bytes; the line feeds and other controls among them become blanks
    static func bounded(_ text: String, _ limit: Int = 1000) -> String {
        let bytes = text.utf8.prefix(limit).map { $0 < 0x20 ? UInt8(ascii: " ") : $0 }
        return String(decoding: bytes, as: UTF8.self) + (text.utf8.count > limit ? " …" : "")
    }

    /// The history's view of it; nil unless it has ended.
    var entry: HistoryEntry? {
        guard let report else { return nil }
        return HistoryEntry(
            nonce: nonce, closure: closure, deployer: deployer, client: client, startedAt: startedAt, endedAt: endedAt,
            previous: previous, generation: progress.profileSet, report: report, lastLines: lastLines)
    }

    /// The number of the generation that it made and that did not last.
    var failedGeneration: Generation? {
        guard let verdict = report?.verdict, verdict != .committed, progress.isNew else { return nil }
        return progress.profileSet
    }
}
