import Foundation
import Shared
import Synchronization
import Testing

@testable import Activator

/// A node of three facts, on a machine that stops with its disk.
private final class SimulatedNode: NodeWork {
    struct Facts: Equatable {
        var generation: Generation?
        var running: String
        var boots: String
        var reboots = 0
    }

    let disk: SimulatedDisk
    /// Whether nothing can be undone in a boot.
    let isStubborn: @Sendable (String) -> Bool
    private let state: Mutex<Facts>

    init(_ facts: Facts, _ disk: SimulatedDisk, isStubborn: @escaping @Sendable (String) -> Bool = { _ in false }) {
        self.disk = disk
        self.isStubborn = isStubborn
        state = Mutex(facts)
    }

    var facts: Facts { state.withLock { $0 } }

    private func change(_ work: (inout Facts) -> Void) throws {
        guard disk.step() else { throw SystemError("write", "the disk of a stopped machine", number: EIO) }
        state.withLock { work(&$0) }
    }

    func hold(_ record: Record) async {}
    func endPredecessor() async {}
    func generation() throws -> Generation? { facts.generation }
    func deviation(_ record: Record) -> String? { nil }
    func release(_ record: Record, _ verdict: Verdict) {}

    func setProfile(_ record: Record) async throws -> (generation: Generation, isNew: Bool) {
        let generation = Generation(number: 2, path: record.closure)
        try change { $0.generation = generation }
        return (generation, true)
    }

    func activate(_ record: Record) async throws -> ActivationEnd {
        try change { $0.running = record.closure }
        if record.policy.kind == .wrapped { try change { $0.boots = record.closure } }
        return ActivationEnd(result: .init(exit: .code(0), timedOut: false))
    }

    func check(_ check: HealthCheck, _ record: Record) async throws -> HealthFinding { HealthFinding(tries: 1) }

    func setBoot(_ record: Record) async throws -> String? {
        try change { $0.boots = record.closure }
        return nil
    }

    func prepareReboot(_ record: Record) async throws {
        try change {
            $0.generation = record.previous
            $0.boots = record.previous?.path ?? ""
        }
    }

    func reboot() async throws -> RebootError {
        try change { $0.reboots += 1 }
        disk.stop()
        throw RebootError.noSystemd
    }

    /// Only what the record knows of.
    func undo(_ record: Record) async throws -> UndoEnd {
        if isStubborn(record.bootID) { throw RebootError.bootFailed("the old system does not start") }
        let old = record.previous?.path ?? ""
        if record.progress.settingProfile { try change { $0.generation = record.previous } }
        if record.progress.scriptStarted { try change { $0.running = old } }
        let touchedBoot = record.policy.kind == .wrapped ? record.progress.scriptStarted : record.progress.bootStarted
        if touchedBoot { try change { $0.boots = old } }
        return UndoEnd()
    }
}

/// Stops the machine after each write, sync and rename of an activation's whole life, and looks at what is left.
@Suite(.timeLimit(.minutes(10))) struct CrashTests {
    private typealias Facts = SimulatedNode.Facts
    private typealias Image = [String: [UInt8]]

    private static let old = Facts(generation: Generation(number: 1, path: "/old"), running: "/old", boots: "/old")

    private func record(_ policy: Activation.Policy, id: String) throws -> Record {
        var request = ActivateRequest(
            closure: "/new", profile: .path("/nowhere/profiles/system"), tempPath: "/tmp", confirmTimeout: 0)
        request.session = .init(nonce: id, activationTimeout: nil, deployer: "alice@laptop")
        var record = try Record(request, ProfileLink(path: "/nowhere/profiles/system"), kind: policy.kind)
        record.policy = policy
        if policy.checksHealth == true { record.healthCheck = HealthCheck(["true"]) }
        record.previous = Self.old.generation
        record.bootID = "first"
        return record
    }

    /// The folder after a deploy that ended long ago.
    private func before() throws -> Image {
        let disk = SimulatedDisk()
        var earlier = try record(.init(magicRollback: true, autoRollback: true, boot: false), id: "earlier")
        earlier.state = .committed
        earlier.report = VerdictReport(.committed, generation: Self.old.generation)
        try Journal(folder: folder(disk)).write(earlier)
        return disk.afterKill
    }

    private func folder(_ disk: SimulatedDisk) -> StateFolder {
        StateFolder(path: "/simulated/", descriptor: OwnedDescriptor(-1), files: disk)
    }

    /// A disk whose canary is taken as soon as the journal says that it may be, or never.
    private func disk(_ image: Image, stopAt: Int? = nil, isConfirmed: Bool) -> SimulatedDisk {
        SimulatedDisk(image, stopAt: stopAt) { disk, name in
            guard isConfirmed, name == Journal.fileName, !disk.isStopped else { return }
            let text = String(decoding: (try? disk.read(name, limit: 1 << 20)) ?? [], as: UTF8.self)
            guard text.contains(#""state":"awaitingConfirmation""#) else { return }
            // Once: there is no canary the second time.
            try? disk.rename("canary-new", "confirmed-new")
        }
    }

    /// Stages and carries an activation, until the machine stops or there is a verdict.
    private func live(
        _ disk: SimulatedDisk, _ policy: Activation.Policy,
        isStubborn: @escaping @Sendable (String) -> Bool = { _ in false }
    ) async throws -> (Verdict?, Facts) {
        let node = SimulatedNode(Self.old, disk, isStubborn: isStubborn)
        do {
            try Journal(folder: folder(disk)).begin(try record(policy, id: "new"))
        } catch  where disk.isStopped {
            return (nil, node.facts)
        }
        var guardian = try #require(try guardian(node, bootID: "first"))
        let verdict = await guardian.run(.begin)
        return (disk.isStopped ? nil : verdict, node.facts)
    }

    /// As the next agent does; where there is a verdict, as the watcher does that sees the guardian die after it.
    private func recover(
        _ disk: SimulatedDisk, _ facts: Facts, bootID: String,
        isStubborn: @escaping @Sendable (String) -> Bool = { _ in false }
    ) async throws -> Facts {
        let node = SimulatedNode(facts, disk, isStubborn: isStubborn)
        guard let record = try Journal(folder: folder(disk)).read() else { return facts }
        var guardian = try #require(try guardian(node, bootID: bootID))
        if record.isFinished {
            guardian.clearUp(try #require(record.report?.verdict))
            return node.facts
        }
        _ = await guardian.run(.resume)
        return node.facts
    }

    private func guardian(_ node: SimulatedNode, bootID: String) throws -> Guardian? {
        let null = open("/dev/null", O_WRONLY | O_CLOEXEC)
        return try Guardian(node, in: folder(node.disk), events: EventLog(null), bootID: bootID) { close(null) }
    }

    /// Each thing that may be left: of the disk, the facts, and whether the machine was booted since.
    private func remains(_ disk: SimulatedDisk, _ facts: Facts) -> [(image: Image, facts: Facts, bootID: String)] {
        var rebooted = facts
        rebooted.running = facts.boots
        return [(disk.afterKill, facts, "first")] + disk.afterPowerLoss.map { ($0, rebooted, "second") }
    }

    /// The journal and the history are whole, and say something that was written into them.
    private func expectWhole(_ image: Image, _ known: Set<Verdict?>) throws {
        let folder = folder(SimulatedDisk(image))
        let record = try #require(try Journal(folder: folder).read())
        #expect(record.id == "earlier" || record.id == "new")
        let lines = image[Journal.historyName].map { String(decoding: $0, as: UTF8.self).split(separator: "\n").count }
        #expect(Journal(folder: folder).history().count == lines ?? 0)
        if record.id == "new" {
            #expect(Journal(folder: folder).history().map(\.id) == ["earlier"])
            #expect(known.contains(record.report?.verdict))
        }
    }

    private func expectAgreement(_ image: Image, _ facts: Facts, _ policy: Activation.Policy, told: Verdict?) throws {
        let record = try #require(try Journal(folder: folder(SimulatedDisk(image))).read())
        guard record.id == "new" else { return #expect(facts == Self.old && told == nil) }
        let verdict = try #require(record.report?.verdict)
        if let told { #expect(verdict == told) }
        switch verdict {
        case .committed:
            #expect(facts == Facts(generation: Generation(number: 2, path: "/new"), running: "/new", boots: "/new"))
        case .rolledBack, .failed: #expect(facts == Self.old)
        case .left, .stuck: Issue.record("nothing failed here: \(record)")
        }
    }

    private static let policies = [true, false].flatMap { magic in
        [Activation.Kind.wrapped, .system].map {
            Activation.Policy(
                magicRollback: magic, autoRollback: true, boot: false, kind: $0, checksHealth: magic ? nil : true)
        }
    }

    @Test(arguments: policies, [true, false])
    func everyStopLeavesARecordThatLeadsToOneVerdict(policy: Activation.Policy, isConfirmed: Bool) async throws {
        let before = try before()
        var stops = 0
        while true {
            let disk = disk(before, stopAt: stops, isConfirmed: isConfirmed)
            let (told, facts) = try await live(disk, policy)
            for left in remains(disk, facts) {
                try expectWhole(left.image, [nil, .committed, .rolledBack])
                let next = self.disk(left.image, isConfirmed: false)
                let end = try await recover(next, left.facts, bootID: left.bootID)
                try expectAgreement(next.afterKill, end, policy, told: told)
                // What a stop left half written gives way to the next one of its name.
                let over = ["spare-", "canary-", "confirmed-"]
                #expect(next.afterKill.keys.filter { name in over.contains { name.hasPrefix($0) } } == [])
            }
            if told != nil { break }
            stops += 1
        }
        #expect(stops > 30)
    }

    /// The first boot's rollback never succeeds; a later one's does, or does not either.
    @Test(arguments: [true, false], [Activation.Kind.wrapped, .system])
    func everyStopLeadsToOneRebootAtMost(isCured: Bool, kind: Activation.Kind) async throws {
        let policy = Activation.Policy(
            magicRollback: true, autoRollback: true, boot: false, kind: kind, rebootsIfStuck: true)
        let before = try before()
        let isStubborn = { @Sendable (boot: String) in boot == "first" || !isCured }
        var verdicts: Set<Verdict> = []
        var stop = 0
        while true {
            let disk = disk(before, stopAt: stop, isConfirmed: false)
            let (_, facts) = try await live(disk, policy, isStubborn: isStubborn)
            // A machine that reboots leaves nothing that still runs.
            for left in remains(disk, facts) where facts.reboots == 0 || left.bootID != "first" {
                var left = left
                // As often as it takes; without a reboot in a circle that is not for ever.
                for boot in 2... {
                    let next = self.disk(left.image, isConfirmed: false)
                    left.facts = try await recover(next, left.facts, bootID: left.bootID, isStubborn: isStubborn)
                    left.image = next.afterKill
                    try #require(boot < 6 && left.facts.reboots <= 1)
                    guard next.isStopped else { break }
                    left.facts.running = left.facts.boots
                    left.bootID = "boot \(boot)"
                }
                let record = try #require(try Journal(folder: folder(SimulatedDisk(left.image))).read())
                guard record.id == "new" else { continue }
                let verdict = try #require(record.report?.verdict)
                verdicts.insert(verdict)
                if left.facts.reboots == 1 {
                    #expect(record.reboot != nil)
                    #expect(verdict == (isCured ? .rolledBack : .stuck))
                    #expect(record.report?.rollbackFailure?.contains("it has been rebooted") == (isCured ? nil : true))
                    #expect(record.report?.reason?.contains("it has been rebooted") == isCured)
                    if isCured { #expect(left.facts.generation == Self.old.generation && left.facts.boots == "/old") }
                }
            }
            if facts.reboots == 1 { break }
            stop += 1
        }
        #expect(stop > 10)
        #expect(verdicts == (isCured ? [.failed, .rolledBack, .stuck] : [.failed, .stuck]))
    }

    /// What the other tests look for can be found.
    @Test func aDiskThatDoesNotSyncIsFoundOut() async throws {
        let disk = SimulatedDisk(try before(), syncsFiles: false)
        let policy = Activation.Policy(magicRollback: false, autoRollback: true, boot: false)
        _ = try await live(disk, policy)
        let broken = disk.afterPowerLoss.filter { image in
            (try? Journal(folder: folder(SimulatedDisk(image))).read())?.id != "new"
        }
        #expect(!broken.isEmpty)
    }

    @Test(arguments: policies)
    func aRecoveryThatIsStoppedIsFinishedByTheNext(policy: Activation.Policy) async throws {
        let before = try before()
        let whole = disk(before, isConfirmed: true)
        _ = try await live(whole, policy)
        for stop in stride(from: 1, to: whole.steps, by: 3) {
            let first = disk(before, stopAt: stop, isConfirmed: true)
            let (_, facts) = try await live(first, policy)
            // The two ends of what may be left.
            for left in [remains(first, facts).first, remains(first, facts).last].compactMap({ $0 }) {
                for again in 1..<200 {
                    let second = disk(left.image, stopAt: again, isConfirmed: false)
                    let facts = try await recover(second, left.facts, bootID: left.bootID)
                    for left in remains(second, facts) {
                        try expectWhole(left.image, [nil, .committed, .rolledBack, .failed])
                        let third = disk(left.image, isConfirmed: false)
                        let end = try await recover(third, left.facts, bootID: "third")
                        try expectAgreement(third.afterKill, end, policy, told: nil)
                    }
                    if !second.isStopped { break }
                }
            }
        }
    }
}
