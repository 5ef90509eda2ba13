import Glibc
import Shared
import Synchronization

/// The front process of an activation: stages it, starts its guardian, and passes on what that tells.
///
/// It may die at any moment without harm: from the guardian's start on it only reads.
struct Relay: Sendable {
    let link: ProfileLink
    let environment: [String: String]
    let reporter: Reporter
    /// Where the guardian writes a log of its own; deploy-rs's deployer gets the reporter's instead.
    var logDirectory: String?

    /// - Returns: the exit code
    func activate(_ request: ActivateRequest) async -> Int32 {
        do {
            let activatable = try check(request)
            let folder = try StateFolder.make(beside: link)
            let holder = LockHolder(
                deployer: request.deployer, since: time(nil), closure: request.closure, nonce: request.session?.nonce)
            let patience = request.session?.waitLock ?? 0
            let lock = try await ProfileLock.take(in: folder, for: holder, within: patience) {
                reporter.send(.waitingForLock($0, seconds: patience))
            }
            guard let lock else { return try locked(folder) }
            if let nonce = holder.nonce, Refusal(folder: folder, id: nonce).isMade { throw AgentError.refused }
            Refusal.clearOld(in: folder)
            let temporary = TemporaryFolder(request.tempPath)
            temporary.make()
            if let warning = temporary.warning { reporter.send(.warning(warning)) }
            try await recoverFirst(folder, lock)
            let record = try stage(request, activatable.kind, in: folder)
            // Told before anything can change: an agent that is gone before its first word has changed nothing.
            reporter.send(.started(previous: record.previous))
            if reporter.hasNoReader {
                try abandon(record, "contact with the deployer was lost before it began", in: folder)
                return ExitCode.failed.rawValue
            }
            return try await carry(.begin, record, in: folder, lock)
        } catch {
            return failed(error)
        }
    }

    /// What can be told before anything is touched.
    private func check(_ request: ActivateRequest) throws -> Activatable {
        let closure = request.closure
        guard closure.hasPrefix("/") else { throw AgentError.notAbsolute(what: "the closure", closure) }
        guard request.tempPath.hasPrefix("/") else {
            throw AgentError.notAbsolute(what: "the temp path", request.tempPath)
        }
        let activatable = try Activatable(closure, as: link, environment)
        _ = try link.target()
        if let warning = activatable.warning { reporter.send(.warning(warning)) }
        return activatable
    }

    func locked(_ folder: StateFolder) throws -> Int32 {
        // Let go of meanwhile: whoever it was is gone.
        let holder = try ProfileLock.holder(in: folder)
        reporter.send(.locked(holder ?? LockHolder(deployer: "unknown", since: time(nil), closure: "unknown")))
        return reporter.lockedCode
    }

    private func stage(
        _ request: ActivateRequest, _ kind: Activation.Kind, in folder: StateFolder
    ) throws -> Record {
        let record = try Record(request, link, kind: kind, client: clientAddress(environment))
        try Journal(folder: folder).begin(record)
        return record
    }

    /// Ends it before anything was changed. Whoever asks by its nonce is told this.
    private func abandon(_ record: Record, _ reason: String, in folder: StateFolder) throws {
        var record = record
        record.state = .failed
        record.endedAt = time(nil)
        record.report = VerdictReport(.failed, generation: record.previous, reason: Record.bounded(reason))
        let journal = Journal(folder: folder)
        try journal.write(record, in: .verdict)
        journal.releaseSpares()
        RunningScript(folder: folder).clear()
    }

    /// Finishes what an earlier activation left undone, and says so.
    func recoverFirst(_ folder: StateFolder, _ lock: ProfileLock) async throws {
        guard let record = try Journal(folder: folder).read(), !record.isFinished else { return }
        reporter.send(.interrupted(record))
        let limit = record.activationTimeout ?? StandardLimits.activation
        reporter.send(.recovering(seconds: limit + StandardLimits.link))
        let report = try await Recovery(link: link, folder: folder, reporter: reporter)
            .finish(record, lock)
        reporter.send(.warning("the interrupted activation ended as \(report.verdict.rawValue), \(report.inWords)"))
    }

    /// Starts a guardian, hands the lock over to it alone, and relays until its verdict.
    func carry(
        _ start: Guardian.Start, _ record: Record, in folder: StateFolder, _ lock: ProfileLock
    ) async throws -> Int32 {
        // That an activation is to be taken back is in the journal already.
        var isOpen = start != .begin
        do {
            let follower = try await GuardianFollower(start, record, folder, lock, reporter, logDirectory: logDirectory)
            isOpen = true
            lock.handOver()
            if let report = try await follower.verdict() { return reporter.exitCode(report) }
            if reporter.isBroken { return ExitCode.unknown.rawValue }
            let report = try await Recovery(link: link, folder: folder, reporter: reporter).afterGuardianDied(record)
            reporter.send(.verdict(report))
            return reporter.exitCode(report)
        } catch {
            guard isOpen else {
                // Where that cannot be written down, whoever comes next finds that nothing was begun.
                try? abandon(record, "\(error)", in: folder)
                throw error
            }
            // What is not known to have ended is not told as if it had.
            reporter.send(.warning("\(error)"))
            return ExitCode.unknown.rawValue
        }
    }

    /// Says that nothing was changed, and where the profile is.
    func failed(_ error: any Error) -> Int32 {
        // Where it cannot be read, the reason says why.
        let generation = (try? link.generation()) ?? nil
        reporter.send(.verdict(VerdictReport(.failed, generation: generation, reason: "\(error)")))
        return reporter.exitCode(.failed)
    }
}

extension VerdictReport {
    /// For a sentence about an earlier activation.
    var inWords: String {
        let why = [reason, rollbackFailure].compactMap { $0 }.joined(separator: "; ")
        return "the profile is on \(text(generation))" + (why.isEmpty ? "" : " (\(why))")
    }
}

extension ActivateRequest {
    var deployer: String { session?.deployer ?? "deploy-rs" }
}
