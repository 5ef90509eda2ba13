import Shared

/// `journal.json`, the newest record of a profile, and `history.jsonl`, how the last ones ended.
struct Journal: Sendable {
    static let fileName = "journal.json"
    static let historyName = "history.jsonl"
    static let historyLength = 64
    /// Bytes; the newest is kept whatever its size.
    static let historySize = 256 << 10

    /// Room for the records that must be written down whatever the disk is like by then.
    enum Spare: String, CaseIterable {
        case undo = "spare-undo"
        case verdict = "spare-verdict"

        /// Bytes: more than any record has.
        static let size = 64 << 10
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

    /// Puts a new activation in the place of the one before, which has ended.
    func begin(_ record: Record) throws {
        let earlier = try read()
        if let earlier {
            try remember(earlier)
            PrivateCanary(folder: folder, record: earlier).clear()
        }
        let script = RunningScript(folder: folder)
        do {
            try reserve()
            try script.reserve()
            try write(record)
        } catch {
            // Nothing was staged: on a full disk every byte counts.
            releaseSpares()
            script.clear()
            throw error
        }
        if let earlier { clearNames(of: earlier.id) }
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
    func history() -> [Record] { historyLines().compactMap(Self.record) }

    private func historyLines() -> [ArraySlice<UInt8>] {
        // A damaged history must not stop a deploy: it is only there to be read by people.
        let bytes = (try? folder.read(Self.historyName, limit: 64 << 20)) ?? nil
        return (bytes ?? []).split(separator: UInt8(ascii: "\n"))
    }

    private static func record(_ line: ArraySlice<UInt8>) -> Record? {
        try? JSONLine.decode(Record.self, from: String(decoding: line, as: UTF8.self))
    }

    /// The history and the newest record where that has ended, oldest first, each activation by its last verdict.
    func allEnded() -> [Record] {
        // As with the history: only there to be read.
        let newest = (try? read()) ?? nil
        var seen: Set<String> = []
        let records = history() + (newest.map { $0.isFinished ? [$0] : [] } ?? [])
        return records.reversed().filter { seen.insert($0.id).inserted }.reversed()
    }

    /// Adds a record to the history unless it is there; the oldest leave.
    func remember(_ record: Record) throws {
        let earlier = historyLines()
        guard record.isFinished, earlier.last.flatMap(Self.record) != record else { return }
        // What the others say is nobody's business here, and each activation would pay for reading them.
        var lines = [Array((try JSONLine.encode(record)).utf8)[...]]
        var size = lines[0].count + 1
        for line in earlier.suffix(Self.historyLength - 1).reversed() {
            size += line.count + 1
            if size > Self.historySize { break }
            lines.append(line)
        }
        try folder.replace(Self.historyName, lines.reversed().flatMap { $0 + [UInt8(ascii: "\n")] })
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
