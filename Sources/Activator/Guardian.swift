import Glibc
import Shared

/// The detached process that carries one activation, or the remains of one, to its verdict.
struct Guardian {
    enum Start: String, Sendable {
        /// From the staged record on.
        case begin
        /// From wherever the one before died.
        case resume
    }

    let link: ProfileLink
    let folder: StateFolder
    let journal: Journal
    let generations: Generations
    let events: EventLog
    /// Holds the roots; see ``Roots``.
    let roots: Roots
    /// Lets go of the profile.
    let unlock: @Sendable () -> Void
    private(set) var record: Record
    private var machine: Activation
    private var legacyCanary: LegacyCanary?

    /// - Throws: ``AgentError`` if there is nothing to carry
    init(
        _ link: ProfileLink, _ environment: [String: String], events: EventLog, unlock: @escaping @Sendable () -> Void
    ) throws {
        guard let folder = try StateFolder.find(beside: link) else { throw AgentError.noGeneration(link: link.path) }
        let journal = Journal(folder: folder)
        guard let record = try journal.read() else { throw AgentError.noGeneration(link: link.path) }
        let nix = Nix(environment)
        self.link = link
        self.folder = folder
        self.journal = journal
        self.record = record
        self.events = events
        self.unlock = unlock
        generations = Generations(link: link, nix: nix)
        roots = Roots(folder: folder, nix: nix)
        machine = Activation(record.policy)
    }

    /// Works until there is a verdict and it is told.
    ///
    /// - Returns: that verdict; nil if there was one already
    mutating func run(_ start: Start) async -> Verdict? {
        record.guardian = ProcessIdentity(of: getpid())
        record.bootID = currentBootID()
        var effect: Activation.Effect?
        switch start {
        case .begin:
            await roots.hold(record, events)
            effect = machine.handle(.begin)
        case .resume:
            await running.end(events)
            let confirmed = canary.isConfirmed
            let remains = Activation.Remains(state: record.state, isConfirmed: confirmed, reason: record.reason)
            (machine, effect) = Activation.resuming(remains, record.policy)
        }
        while let current = effect {
            guard let event = await perform(current) else { break }
            effect = machine.handle(event)
        }
        guard case .ended(let verdict) = machine.phase else { return nil }
        return verdict
    }

    private var canary: PrivateCanary { PrivateCanary(folder: folder, record: record) }
    private var running: RunningScript { RunningScript(folder: folder) }

    /// Carries out one step; nil after the last.
    private mutating func perform(_ effect: Activation.Effect) async -> Activation.Event? {
        switch effect {
        case .setProfile: await setProfile()
        case .runScript: await runScript()
        case .makeCanary: makeCanary()
        case .awaitConfirmation: await awaitConfirmation()
        case .commit: commit()
        case .undo: await undo()
        case .conclude(let verdict, let reason, let rollbackFailure):
            await conclude(verdict, reason, rollbackFailure)
        }
    }

    private mutating func save(in spare: Journal.Spare? = nil) throws {
        record.state = machine.state
        try journal.write(record, in: spare)
    }

    private mutating func setProfile() async -> Activation.Event {
        do {
            if record.nonce == nil, record.policy.needsConfirmation {
                legacyCanary = try LegacyCanary.prepare(tempPath: record.tempPath, closure: record.closure)
            }
            record.progress.settingProfile = true
            try save()
            let (generation, isNew) = try await generations.set(record.closure)
            record.progress.profileSet = generation
            record.progress.isNew = isNew
            events.send(.profileSet(generation: generation.number ?? 0, isNew: isNew))
            return .profileSet
        } catch {
            // A link that cannot be read is one that cannot be trusted to be where it was.
            let moved = (try? link.generation() != record.previous) ?? true
            return .setFailed("the profile could not be set: \(error)", linkMoved: moved)
        }
    }

    private mutating func runScript() async -> Activation.Event {
        let limit = record.activationTimeout.map { Duration.seconds($0) }
        let script = Script(
            ScriptLauncher.words(["\(link.path)/deploy-rs-activate"], link), at: link.path,
            record.policy.boot ? .boot : .activate,
            tempPath: record.tempPath, limit: limit, generations.nix.environment)
        do {
            record.progress.scriptStarted = true
            try save()
            let result = try await script.run { @Sendable [events] stream, line in
                events.send(.output(stream: stream, line: line))
            }
            record.lastLines = events.lastLines
            events.send(.activationEnded(result.exit, timedOut: result.timedOut))
            return result.failure("the activation script", limit: limit).map { .scriptFailed($0) } ?? .scriptSucceeded
        } catch {
            return .scriptFailed("the activation script could not be run: \(error)")
        }
    }

    private mutating func makeCanary() -> Activation.Event {
        do {
            if let canary = legacyCanary {
                legacyCanary = try canary.make()
            } else {
                try canary.make()
            }
            return .canaryMade
        } catch {
            return .canaryFailed("the canary could not be made: \(error)")
        }
    }

    private mutating func awaitConfirmation() async -> Activation.Event {
        let limit = Duration.seconds(record.confirmTimeout)
        let deadline = bootTime() + Int64(record.confirmTimeout) * 1_000_000_000
        record.deadline = deadline
        // Watch first, then say that it can be confirmed.
        let watch = FolderWatch([folder.watchPath] + (legacyCanary.map { [$0.folderPath] } ?? []))
        let timer = BootTimer(after: limit) { @Sendable in watch.poke() }
        defer { withExtendedLifetime(timer) {} }
        do {
            try save()
        } catch {
            return .expired("that it waits could not be written down, so no confirmation is possible: \(error)")
        }
        events.send(.awaitingConfirmation(seconds: record.confirmTimeout))
        for await _ in watch.wakes {
            if legacyCanary?.isConfirmed ?? canary.isConfirmed { return .confirmed }
            if canary.isRevoked { return .expired("it was revoked") }
            guard bootTime() >= deadline else { continue }
            if !(legacyCanary?.expire() ?? canary.expire()) { return .confirmed }
            return .expired("it was not confirmed within \(record.confirmTimeout) s")
        }
        return .expired("the wait for its confirmation was cut short")
    }

    private mutating func commit() -> Activation.Event {
        do {
            var committed = record
            committed.state = .committed
            let generation = try link.generation()
            let moved = generation != record.progress.profileSet
            let reason = moved ? "someone else has moved the profile meanwhile, to \(text(generation))" : nil
            committed.report = VerdictReport(.committed, generation: generation, reason: reason)
            try journal.write(committed, in: .verdict)
            record = committed
            return .commitWritten
        } catch {
            return .commitFailed("the verdict could not be written down: \(error)")
        }
    }

    private mutating func undo() async -> Activation.Event {
        if case .rollingBack(let reason) = machine.phase {
            record.reason = reason
            events.send(.rollingBack(reason: reason))
        }
        // Nothing can be confirmed from here on, even where the journal cannot say so.
        folder.remove(record.canary)
        do {
            try save(in: .undo)
        } catch {
            events.send(.warning("that it rolls back could not be written down: \(error)"))
        }
        do {
            let rollback = Rollback(record: record, generations: generations, events: events)
            return .undone(note: try await rollback.run())
        } catch {
            return .undoFailed("\(error)")
        }
    }

    private mutating func conclude(_ verdict: Verdict, _ reason: String?, _ failure: String?) async -> Activation.Event?
    {
        var report = record.report ?? VerdictReport(verdict, generation: nil, reason: reason, rollbackFailure: failure)
        if record.report == nil {
            // Where it cannot be read, the reason says more than a wrong place would.
            report.generation = (try? link.generation()) ?? nil
            record.report = report
            record.reason = reason
        }
        // Those of a rollback would push out what explains it.
        if record.lastLines.isEmpty { record.lastLines = events.lastLines }
        do {
            if verdict != .committed { try save(in: .verdict) }
        } catch {
            journal.name(verdict, of: record.id)
            events.send(.warning("the verdict could not be written down: \(error)"))
        }
        // It joins the history when the next one takes its place: nobody has to wait for that now.
        journal.releaseSpares()
        canary.clear()
        legacyCanary?.clear()
        running.clear()
        if verdict != .stuck { roots.release() }
        // From here on the profile's generation keeps it, unless there is none.
        if verdict != .failed { Held(nix: generations.nix).release(record.closure) }
        // First unlock, then tell: who hears of it may come back at once.
        unlock()
        events.send(.verdict(report))
        return nil
    }
}
