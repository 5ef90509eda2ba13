import Dispatch
import Glibc
import Shared

/// Passes on what a guardian of ours tells, until its verdict or its end.
final class GuardianFollower: Sendable {
    private let guardian: GuardianProcess
    private let record: Record
    private let watch: ChangeWatch
    private let reporter: Reporter
    private let folder: StateFolder
    /// The verdict is returned but not told, and waited for whether or not anyone still reads.
    private let keepsVerdict: Bool

    /// Starts the guardian, which then holds the lock for itself.
    init(
        _ start: Guardian.Start, _ record: Record, _ folder: StateFolder, _ lock: ProfileLock, _ reporter: Reporter,
        keepsVerdict: Bool = false, logDirectory: String? = nil
    ) async throws {
        let link = try ProfileLink(path: record.link)
        guardian = try await GuardianStart(
            start: start, link: link, folder: folder, lock: lock, logDirectory: logDirectory
        ).run() { reporter.send(.warning($0)) }
        // Its first wake reads what has been told by then.
        watch = ChangeWatch(contentOf: guardian.events)
        self.record = record
        self.folder = folder
        self.reporter = reporter
        self.keepsVerdict = keepsVerdict
    }

    /// What it ended with; nil if it died without a verdict, or nobody reads us any more.
    func verdict() async throws -> VerdictReport? {
        let ended = Flag()
        // Blocks a thread of its own until the guardian and its watcher are gone, whatever becomes of the process that
        // we have started; who does not wait for that lets it go with this process.
        DispatchQueue(label: "guardian").async { @Sendable [guardian, watch] in
            guardian.claim.waitUntilEnded()
            ended.set()
            watch.poke()
        }
        var lines = LineSplitter()
        for await _ in watch.wakes {
            let isLast = ended.isSet
            for line in lines.add(readOn()) {
                if let report = tell(line) { return report }
            }
            if reporter.isBroken, !keepsVerdict { return nil }
            if isLast { return try await untold() }
        }
        return nil
    }

    /// The verdict of a guardian that ended without a word: the disk may have been too full for one.
    private func untold() async throws -> VerdictReport? {
        let written = try Journal(folder: folder).record(record.id)
        // As ``VerdictWatch`` does for whoever asks: what cannot be taken away now is by the next deploy or boot.
        if !keepsVerdict, let written, written.isFinished {
            try? await Recovery.clearUp(after: written, ProfileLink(path: written.link), in: folder)
        }
        let known = GuardianTask.verdict(await guardian.process.exit())
        guard let report = written?.report ?? known.map({ .unwritten($0, written ?? record) }) else { return nil }
        if !keepsVerdict { reporter.send(.verdict(report)) }
        return report
    }

    private func readOn() -> [UInt8] {
        // What cannot be read is as if it were not written: the journal decides in the end.
        (try? guardian.events.read(limit: .max, EventLog.fileName)) ?? []
    }

    private func tell(_ line: String) -> VerdictReport? {
        guard let event = try? JSONLine.decode(AgentEvent.self, from: line) else { return nil }
        guard case .verdict(let report) = event else {
            reporter.relay(event)
            return nil
        }
        if !keepsVerdict { reporter.send(event) }
        return report
    }
}
