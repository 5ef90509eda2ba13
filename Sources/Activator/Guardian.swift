import Glibc
import Shared

/// The detached process that carries one activation, or the remains of one, to its verdict.
struct Guardian {
    enum Start: String, Sendable {
        /// From the staged record on.
        case begin
        /// From wherever the one before died.
        case resume
        /// As ``resume``, for a caller who goes on to hold the profile's lock.
        case finish

        /// How the work of one that died is taken up.
        var afterDeath: Start { self == .finish ? .finish : .resume }
    }

    let work: any NodeWork
    let folder: StateFolder
    let journal: Journal
    let events: EventLog
    /// Lets go of the profile.
    let unlock: @Sendable () -> Void
    /// Names the boot that this is.
    let bootID: String
    var record: Record
    private(set) var machine: Activation
    var legacyCanary: LegacyCanary?

    /// - Throws: ``AgentError`` if there is nothing to carry
    init(
        _ link: ProfileLink, _ environment: [String: String], events: EventLog, unlock: @escaping @Sendable () -> Void
    ) throws {
        guard let folder = try StateFolder.find(beside: link) else { throw AgentError.noGeneration(link: link.path) }
        let work = NodeChanges(link: link, folder: folder, nix: Nix(environment), events: events)
        guard let guardian = try Guardian(work, in: folder, events: events, unlock: unlock) else {
            throw AgentError.noGeneration(link: link.path)
        }
        self = guardian
    }

    /// Nil if the folder holds no record.
    init?(
        _ work: any NodeWork, in folder: StateFolder, events: EventLog, bootID: String = currentBootID(),
        unlock: @escaping @Sendable () -> Void
    ) throws {
        let journal = Journal(folder: folder)
        guard let record = try journal.read() else { return nil }
        self.work = work
        self.folder = folder
        self.journal = journal
        self.events = events
        self.unlock = unlock
        self.bootID = bootID
        self.record = record
        machine = Activation(record.policy)
    }

    /// Works until there is a verdict and it is told.
    ///
    /// - Returns: that verdict; nil if there was one already
    mutating func run(_ start: Start) async -> Verdict? {
        let wasThisBoot = record.bootID == bootID
        record.guardian = ProcessIdentity(of: getpid())
        record.bootID = bootID
        await work.hold(record)
        var effect: Activation.Effect?
        switch start {
        case .begin:
            effect = machine.handle(.begin)
        case .resume, .finish:
            await work.endPredecessor()
            // What was confirmed of a plain system was that it ran, which a restart has ended.
            let confirmed = canary.isConfirmed && (wasThisBoot || !record.policy.setsProfileLast)
            let remains = Activation.Remains(
                state: record.state, isConfirmed: confirmed, reason: record.reason, hasRebooted: record.reboot != nil)
            (machine, effect) = Activation.resuming(remains, record.policy)
        }
        while let current = effect {
            guard let event = await perform(current) else { break }
            effect = machine.handle(event)
        }
        guard case .ended(let verdict) = machine.phase else { return nil }
        return verdict
    }

    var canary: PrivateCanary { PrivateCanary(folder: folder, record: record) }

    /// Carries out one step; nil after the last.
    private mutating func perform(_ effect: Activation.Effect) async -> Activation.Event? {
        switch effect {
        case .setProfile: await setProfile()
        case .runScript: await runScript()
        case .checkHealth: await checkHealth()
        case .makeCanary: makeCanary()
        case .awaitConfirmation: await awaitConfirmation()
        case .setBoot: await setBoot()
        case .commit: commit()
        case .undo: await undo()
        case .reboot(let why): await reboot(why)
        case .conclude(let verdict, let reason, let rollbackFailure):
            conclude(verdict, reason, rollbackFailure)
        }
    }

    mutating func save(in spare: Journal.Spare? = nil) throws {
        // What comes after the check needs it no more, and less of the room that was reserved.
        if spare != nil { record.healthCheck = nil }
        record.state = machine.state
        try journal.write(record, in: spare)
    }
}
