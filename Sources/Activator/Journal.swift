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
    /// Store path of the NixOS system that ran before; nil elsewhere.
    var runningBefore: String?
    var policy: Activation.Policy
    /// Seconds.
    var confirmTimeout: Int
    /// Seconds; none if nil.
    var activationTimeout: Int?
    var tempPath: String
    var deployer: String
    /// Seconds since 1970.
    var startedAt: Int
    var bootID: String
    /// Who carries it; whether it lives is told by the lock alone.
    var guardian: ProcessIdentity?
    /// When the node rolls back, in nanoseconds on the clock that counts since boot.
    var deadline: Int64?
    var progress = Progress()
    /// Why it is rolled back.
    var reason: String?
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
}

/// `journal.json`, the newest record of a profile, and `history.jsonl`, how the last ones ended.
struct Journal: Sendable {
    static let fileName = "journal.json"
    static let historyName = "history.jsonl"
    static let historyLength = 64

    /// Room for the records that must be written down whatever the disk is like by then.
    enum Spare: String, CaseIterable {
        case undo = "spare-undo"
        case verdict = "spare-verdict"

        static let size = 32 << 10
    }

    let folder: StateFolder

    /// The newest record; nil if there is none.
    func read() throws(AgentError) -> Record? {
        do {
            guard let bytes = try folder.read(Self.fileName, limit: 4 << 20) else { return nil }
            let record = try JSONLine.decode(Record.self, from: String(decoding: bytes, as: UTF8.self))
            if record.version == Record.newestVersion { return withNamedVerdict(record) }
            throw AgentError.unreadableJournal(folder.path + Self.fileName, reason: "version \(record.version)")
        } catch let error as AgentError {
            throw error
        } catch let error as SystemError {
            throw .system(error)
        } catch {
            throw .unreadableJournal(folder.path + Self.fileName, reason: "it is damaged or of a newer version")
        }
    }

    func write(_ record: Record, in spare: Spare? = nil) throws(AgentError) {
        do {
            try folder.replace(
                Self.fileName, Array((try JSONLine.encode(record) + "\n").utf8), with: spare?.rawValue)
        } catch let error as SystemError {
            throw .system(error)
        } catch {
            throw .unreadableJournal(folder.path + Self.fileName, reason: "\(error)")
        }
    }

    /// Reserves room for what is written after the activation.
    func reserve() throws(SystemError) {
        for spare in Spare.allCases { try folder.reserve(spare.rawValue, size: Spare.size) }
    }

    /// Gives back what was not needed.
    func releaseSpares() { for spare in Spare.allCases { folder.remove(spare.rawValue) } }

    /// Keeps a verdict as the mere name of a file, where its record cannot be written: better without its reason than
    /// forgotten, since what is forgotten is done again.
    func name(_ verdict: Verdict, of id: String) {
        let name = Self.name(verdict, id)
        // A file that is there already needs the least. If not even that can be done, the exit status still tells.
        do {
            try folder.rename(Spare.verdict.rawValue, name)
        } catch {
            try? folder.create(name, [])
        }
    }

    func clearNames(of id: String) { for verdict in Verdict.allCases { folder.remove(Self.name(verdict, id)) } }

    private static func name(_ verdict: Verdict, _ id: String) -> String { "ended-\(id)-\(verdict.rawValue)" }

    private func withNamedVerdict(_ record: Record) -> Record {
        guard !record.isFinished,
            let verdict = Verdict.allCases.first(where: { folder.contains(Self.name($0, record.id)) }),
            let state = ProfileStatus.State(rawValue: verdict.rawValue)
        else { return record }
        var record = record
        record.state = state
        record.report = .unwritten(verdict, record)
        return record
    }

    /// The last records that ended, oldest first; lines that cannot be read are left out.
    func history() -> [Record] {
        // A damaged history must not stop a deploy: it is only there to be read by people.
        let bytes = (try? folder.read(Self.historyName, limit: 64 << 20)) ?? nil
        return String(decoding: bytes ?? [], as: UTF8.self).split(separator: "\n").compactMap {
            try? JSONLine.decode(Record.self, from: $0)
        }
    }

    /// Adds a record to the history unless it is there; the oldest leave.
    func remember(_ record: Record) throws {
        var records = history()
        guard record.isFinished, records.last != record else { return }
        records = records.suffix(Self.historyLength - 1) + [record]
        let text = try records.map { try JSONLine.encode($0) + "\n" }.joined()
        try folder.replace(Self.historyName, Array(text.utf8))
    }

    /// How the activation of this id stands, whether it is the newest or an earlier one.
    func record(_ id: String) throws(AgentError) -> Record? {
        if let newest = try read(), newest.id == id { return newest }
        return history().last { $0.id == id }
    }
}

extension VerdictReport {
    /// What can be said of a verdict that was known but could not be written down as a whole.
    static func unwritten(_ verdict: Verdict, _ record: Record) -> VerdictReport {
        // Where it cannot be read, it is left out.
        let generation = try? ProfileLink(path: record.link).generation()
        let note = "the node could not write its verdict down"
        return VerdictReport(
            verdict, generation: generation, reason: record.reason.map { "\($0); \(note)" } ?? note,
            rollbackFailure: verdict == .stuck ? "its reason could not be written down" : nil)
    }
}
