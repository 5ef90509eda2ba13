import Glibc
import Shared

/// Finishes what a guardian left that died without a verdict.
struct Recovery: Sendable {
    let link: ProfileLink
    let folder: StateFolder
    let reporter: Reporter

    /// The subcommand `recover`, for one profile.
    ///
    /// - Parameter background: return once a guardian has taken it up, and holds the lock
    static func recover(_ link: ProfileLink, _ reporter: Reporter, background: Bool) async throws -> ExitCode {
        guard let folder = try StateFolder.find(beside: link) else { return .done }
        guard let record = try Journal(folder: folder).read() else { return .done }
        guard !record.isFinished else {
            try await clearUp(after: record, link, in: folder)
            return .done
        }
        guard let lock = try ProfileLock.tryTake(in: folder, for: record.holder) else {
            // Let go of meanwhile: then it was the record's until now.
            reporter.send(.locked(try ProfileLock.holder(in: folder) ?? record.holder))
            return .locked
        }
        // Whoever held the lock until now may have finished it.
        guard let record = try Journal(folder: folder).read(), !record.isFinished else { return .done }
        reporter.send(.interrupted(record))
        if background {
            _ = try await GuardianStart(start: .resume, link: link, folder: folder, lock: lock)
                .run() { reporter.send(.warning($0)) }
            lock.handOver()
            return .done
        }
        do {
            let report = try await Recovery(link: link, folder: folder, reporter: reporter).finish(record, lock)
            lock.end()
            reporter.send(.verdict(report))
            return report.verdict == .stuck ? .stuck : .done
        } catch let error as AgentError {
            guard case .unfinished = error else { throw error }
            reporter.send(.warning("\(error)"))
            return .unknown
        }
    }

    /// Takes away what a guardian left that had its verdict and no time for more: as after a power loss, on a disk that
    /// was read-only just then, or where its watcher was killed with it. Not while anyone is at work on the profile.
    static func clearUp(after record: Record, _ link: ProfileLink, in folder: StateFolder) async throws {
        let names =
            Journal.Spare.allCases.map(\.rawValue) + record.canaryNames + [RunningScript.fileName]
            + (record.report?.verdict == .stuck ? [] : Roots.names)
        guard names.contains(where: folder.contains) else { return }
        // Of a process that is just being killed the lock may outlive for a moment what else tells of its end.
        if let holder = try ProfileLock.holder(in: folder), holder.nonce != record.nonce { return }
        guard let lock = try await ProfileLock.take(in: folder, for: record.holder, within: 1, onWait: { _ in }) else {
            return
        }
        defer { lock.end() }
        let dead = try Guardian(link, currentEnvironment(), events: EventLog(), unlock: {})
        if let verdict = dead.record.report?.verdict { dead.clearUp(verdict) }
    }

    /// Has a guardian of its own finish it, so that this too outlives our session. The lock stays the caller's as well,
    /// and so does telling the verdict.
    ///
    /// - Throws: ``AgentError/unfinished(lastWords:)`` if that one dies too: as where a whole login is being ended
    func finish(_ record: Record, _ lock: ProfileLock) async throws -> VerdictReport {
        let follower = try await GuardianFollower(.finish, record, folder, lock, reporter, keepsVerdict: true)
        guard let report = try await follower.verdict() else { throw AgentError.unfinished(lastWords: lastComplaint) }
        return report
    }

    /// For one who saw a guardian die: finishes its work, or waits for whoever is at it already.
    func afterGuardianDied(_ record: Record) async throws -> VerdictReport {
        let journal = Journal(folder: folder)
        if let report = try journal.record(record.id)?.report { return report }
        reporter.send(.warning("the agent's guardian died before its verdict: finishing its work \(lastComplaint)"))
        if let lock = try ProfileLock.tryTake(in: folder, for: record.holder) {
            defer { lock.end() }
            if let report = try journal.record(record.id)?.report { return report }
            return try await finish(record, lock)
        }
        return try await VerdictWatch(folder: folder, link: link).verdict(of: record.id)
    }

    private var lastComplaint: String {
        // Only a help for the reader; usually there is none.
        let bytes = (try? folder.read(GuardianProcess.logName, limit: 64 << 10)) ?? nil
        return lastLines(3, of: String(decoding: bytes ?? [], as: UTF8.self)).joined(separator: " ")
    }
}

extension AgentEvent {
    /// The word to whoever comes next.
    static func interrupted(_ record: Record) -> AgentEvent {
        .warning("an earlier activation of \(record.closure) by \(record.deployer) was interrupted: finishing it")
    }
}
