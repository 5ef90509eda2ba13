import Glibc
import Shared

enum RevokeError: Error, Equatable, CustomStringConvertible {
    case unknownNonce(link: String)
    case nothingChanged(link: String)

    var description: String {
        switch self {
        case .unknownNonce(let link): "\(link) has no activation of this nonce, so there is nothing to take back"
        case .nothingChanged(let link): "that activation of \(link) changed nothing, so there is nothing to take back"
        }
    }
}

/// The subcommand `revoke`: takes back exactly what an activation committed.
struct Revoke: Sendable {
    let link: ProfileLink
    let nonce: String?
    /// As the deployer gives it.
    let why: String?
    let relay: Relay

    func run() async throws -> Int32 {
        let folder = try StateFolder.make(beside: link)
        let journal = Journal(folder: folder)
        do {
            return try await takeBack(folder, journal)
        } catch {
            guard isBegun(journal) else { throw error }
            // Whoever comes next ends it: nobody may be told that nothing was changed, or will be.
            relay.reporter.send(.warning("\(error)"))
            return ExitCode.unknown.rawValue
        }
    }

    /// True where the journal says that this activation is to be taken back, or is still under way.
    private func isBegun(_ journal: Journal) -> Bool {
        // One that cannot be read could not be written either.
        guard let newest = (try? journal.read()) ?? nil, !newest.isFinished else { return false }
        return nonce == nil || newest.nonce == nonce
    }

    private func takeBack(_ folder: StateFolder, _ journal: Journal) async throws -> Int32 {
        if let report = try await endUnderWay(folder, journal), report.verdict == .rolledBack {
            relay.reporter.send(.verdict(report))
            return 0
        }
        let newest = try nonce.map { try journal.record($0) } ?? journal.read()
        let holder = LockHolder(
            deployer: newest?.deployer ?? "deploy-rs", since: time(nil), closure: newest?.closure ?? link.path,
            nonce: nonce)
        guard let lock = try ProfileLock.tryTake(in: folder, for: holder) else { return try relay.locked(folder) }
        try await relay.recoverFirst(folder, lock)
        var record = try nonce.map { try recorded($0, journal) } ?? lastCommitted(journal) ?? foreign()
        if let report = record.report, report.verdict == .rolledBack {
            relay.reporter.send(.verdict(report))
            return 0
        }
        if record.report?.verdict == .committed, record.progress.profileSet == record.previous {
            return unchanged(record)
        }
        let current = try link.generation()
        guard current == record.progress.profileSet || current == record.previous else {
            throw AgentError.linkMoved(
                link: link.path, expected: text(record.progress.profileSet), found: text(current))
        }
        record.state = .rollingBack
        record.reason = PrivateCanary.revocation(why)
        record.report = nil
        if let newest = try journal.read() { try journal.remember(newest) }
        // Taking back what was left needs no more room than is there: what can be reserved is, the smallest first.
        let script = RunningScript(folder: folder)
        try? script.reserve()
        try? journal.reserve()
        journal.clearNames(of: record.id)
        do {
            try journal.write(record)
        } catch {
            // It stays committed, and nobody else would give the room back.
            journal.releaseSpares()
            script.clear()
            throw error
        }
        let code = try await relay.carry(.resume, record, in: folder, lock)
        return code == relay.reporter.exitCode(.rolledBack) ? 0 : code
    }

    /// Has an activation that is still under way roll back at once rather than be confirmed, and waits for its verdict.
    ///
    /// Its script is not cut short: a half-run one is worse than one that is undone. Another's is none of ours.
    private func endUnderWay(_ folder: StateFolder, _ journal: Journal) async throws -> VerdictReport? {
        guard let record = try journal.read(), !record.isFinished, record.nonce == nonce,
            try FileLock.isHeld(ProfileLock.livenessName, in: folder)
        else { return nil }
        relay.reporter.send(.warning("it is still under way: it will be rolled back, not confirmed"))
        return try await VerdictWatch(folder: folder, link: link).verdict(of: record.id) { record in
            guard record.state == .awaitingConfirmation else { return }
            try PrivateCanary(folder: folder, record: record).revoke(why)
        }
    }

    private func recorded(_ nonce: String, _ journal: Journal) throws -> Record {
        guard let record = try journal.record(nonce) else { throw RevokeError.unknownNonce(link: link.path) }
        guard record.report?.verdict != .failed else { throw RevokeError.nothingChanged(link: link.path) }
        return record
    }

    /// The last activation whose newest verdict is that it was committed.
    private func lastCommitted(_ journal: Journal) throws -> Record? {
        var seen: Set<String> = []
        let newest = try journal.read().map { [$0] } ?? []
        for record in newest + journal.history().reversed() where seen.insert(record.id).inserted {
            if record.report?.verdict == .committed { return record }
        }
        return nil
    }

    /// For a profile that deploy-rs's agent activated: the next lower generation, as there; but nothing is deleted.
    private func foreign() throws -> Record {
        guard let current = try link.generation(), let number = current.number,
            let lower = link.generations().filter({ $0.key < number }).max(by: { $0.key < $1.key })
        else { throw AgentError.noGeneration(link: link.path) }
        var request = ActivateRequest(
            closure: current.path, profile: .path(link.path), tempPath: "/tmp", confirmTimeout: 0)
        request.autoRollback = true
        var record = try Record(request, link)
        record.previous = Generation(number: lower.key, path: lower.value)
        record.previousTarget = nil
        record.progress = Record.Progress(settingProfile: true, profileSet: current, isNew: true, scriptStarted: true)
        return record
    }

    private func unchanged(_ record: Record) -> Int32 {
        relay.reporter.send(
            .verdict(
                VerdictReport(
                    .rolledBack, generation: record.previous,
                    reason: "nothing to take back: the profile was on this generation before")))
        return 0
    }
}
