import CSystem
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
            try check(request)
            let folder = try StateFolder.make(beside: link)
            guard let lock = try ProfileLock.tryTake(in: folder) else { return locked(folder) }
            try await recoverFirst(folder, lock)
            let record = try stage(request, in: folder)
            return try await carry(.begin, record, in: folder, lock)
        } catch {
            return failed(error)
        }
    }

    /// What can be told before anything is touched.
    private func check(_ request: ActivateRequest) throws {
        let closure = request.closure
        guard closure.hasPrefix("/") else { throw AgentError.notAbsolute(what: "the closure", closure) }
        guard request.tempPath.hasPrefix("/") else {
            throw AgentError.notAbsolute(what: "the temp path", request.tempPath)
        }
        guard access(closure, F_OK) == 0 else { throw AgentError.noSuchClosure(closure) }
        guard isRunnable("\(closure)/deploy-rs-activate") else { throw AgentError.notActivatable(closure: closure) }
        _ = try link.target()
    }

    func locked(_ folder: StateFolder) -> Int32 {
        // A holder that has written nothing yet is still a holder.
        let record = (try? Journal(folder: folder).read()) ?? nil
        let holder = LockHolder(
            deployer: record?.deployer ?? "unknown", since: record?.startedAt ?? 0,
            closure: record?.closure ?? "unknown")
        reporter.send(.locked(holder))
        return reporter.lockedCode
    }

    private func stage(_ request: ActivateRequest, in folder: StateFolder) throws -> Record {
        let journal = Journal(folder: folder)
        if let earlier = try journal.read() {
            try journal.remember(earlier)
            PrivateCanary(folder: folder, record: earlier).clear()
        }
        let record = try Record(request, link)
        try journal.write(record)
        return record
    }

    /// Finishes what an earlier activation left undone, and says so.
    func recoverFirst(_ folder: StateFolder, _ lock: ProfileLock) async throws {
        guard let record = try Journal(folder: folder).read(), !record.isFinished else { return }
        reporter.send(
            .warning("an earlier activation of \(record.closure) by \(record.deployer) was interrupted: finishing it"))
        let report = try await Recovery(link: link, folder: folder, reporter: reporter)
            .finish(record, lock)
        reporter.send(.warning("the interrupted activation ended as \(report.verdict.rawValue), \(report.inWords)"))
    }

    /// Starts a guardian, hands the lock over to it alone, and relays until its verdict.
    func carry(
        _ start: Guardian.Start, _ record: Record, in folder: StateFolder, _ lock: ProfileLock
    ) async throws -> Int32 {
        let follower = try GuardianFollower(start, link, folder, lock, reporter, logDirectory: logDirectory)
        lock.release()
        if let report = await follower.verdict() { return reporter.exitCode(report.verdict) }
        if reporter.isBroken { return ExitCode.unknown.rawValue }
        let report = try await Recovery(link: link, folder: folder, reporter: reporter).afterGuardianDied(record)
        reporter.send(.verdict(report))
        return reporter.exitCode(report.verdict)
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

extension Record {
    /// The staged record of a request, with the profile as it is now.
    init(_ request: ActivateRequest, _ link: ProfileLink) throws {
        id = try request.session?.nonce ?? randomHex()
        nonce = request.session?.nonce
        state = .staged
        closure = request.closure
        self.link = link.path
        previous = try link.generation()
        previousTarget = try link.target()
        policy = Activation.Policy(
            magicRollback: request.magicRollback, autoRollback: request.autoRollback, boot: request.boot)
        confirmTimeout = request.confirmTimeout
        activationTimeout = request.session?.activationTimeout
        tempPath = request.tempPath
        deployer = request.session?.deployer ?? "deploy-rs"
        startedAt = time(nil)
        bootID = currentBootID()
    }
}

/// 32 hexadecimal digits from the system's random source.
func randomHex() throws(SystemError) -> String {
    var bytes = [UInt8](repeating: 0, count: 16)
    guard shim_random(&bytes, bytes.count) == bytes.count else { throw SystemError("getrandom") }
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
