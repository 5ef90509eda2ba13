import Glibc
import Shared

/// Changes this very node.
struct NodeChanges: NodeWork {
    let link: ProfileLink
    let folder: StateFolder
    let nix: Nix
    let events: EventLog

    private var generations: Generations { Generations(link: link, nix: nix) }

    func hold(_ record: Record) async { await Roots(folder: folder, nix: nix).hold(record, events) }

    func endPredecessor() async { await RunningScript(folder: folder).end(events) }

    func generation() throws -> Generation? { try link.generation() }

    func setProfile(_ record: Record) async throws -> (generation: Generation, isNew: Bool) {
        try await generations.set(record.closure)
    }

    func undo(_ record: Record) async throws -> UndoEnd {
        if record.reboot?.bootID == record.bootID { await reboot.waitIfBegun() }
        let units = UnitsAfterRollback(record: record, systemd: Systemd(nix.environment), events: events)
        do {
            let note = try await rollback(record).run()
            var end = await units.see()
            end.notes = [note].compactMap { $0 } + end.notes
            return end
        } catch {
            // Then they are needed most.
            throw FailedRollback(cause: error, notes: await units.see().notes)
        }
    }

    func prepareReboot(_ record: Record) async throws { try await rollback(record).makeBootable() }

    func reboot() async throws -> RebootError { try await reboot.run() }

    private var reboot: Reboot { Reboot(systemd: Systemd(nix.environment)) }

    private func rollback(_ record: Record) -> Rollback {
        Rollback(record: record, generations: generations, events: events)
    }

    func release(_ record: Record, _ verdict: Verdict) {
        RunningScript(folder: folder).clear()
        if verdict != .stuck { Roots(folder: folder, nix: nix).release() }
        // From here on the profile's generation keeps it, unless there is none.
        if verdict != .failed { Held(nix: nix).release(record.closure) }
    }

    // MARK: Activation

    func activate(_ record: Record) async throws -> ActivationEnd {
        let units = FailedUnits(systemd: Systemd(nix.environment))
        let system = NixOSSystem(in: record.closure)
        let before = system == nil && record.criticalUnits == nil ? nil : await units.names()
        let result = try await run(record, step(record))
        let name = record.policy.kind == .system ? "switch-to-configuration test" : "the activation script"
        var end = ActivationEnd(result: result, failure: result.failure(name, limit: limit(record)))
        end.failedBefore = before.map { Array($0.sorted().prefix(FailedUnits.unitLimit)) }
        guard let system, !result.timedOut else { return end }
        if result.exit == .code(NixOSSystem.partialCode) { await explainPartial(&end, before, units) }
        if result.exit.isSuccess, record.policy.kind == .system { end.failure = elsewhere(system) }
        if !result.exit.isSuccess, !end.isPartial, !record.policy.boot, needsReboot(result, system, record) {
            end.needsReboot = true
            end.failure = (end.failure ?? "") + ": the new system can only take over by a reboot"
        }
        return end
    }

    func check(_ check: HealthCheck, _ record: Record) async throws -> HealthFinding {
        let location = step(record).location
        return try await HealthTrial(check: check) { command, limit in
            Script(
                ["/bin/sh", "-c", command], at: location, .activate, tempPath: record.tempPath, limit: limit,
                nix.environment, note: RunningScript(folder: folder))
        }.run()
    }

    func setBoot(_ record: Record) async throws -> String? {
        let words = ["\(link.path)/\(NixOSSystem.switchName)", "boot"]
        let result = try await run(record, (words, link.path, .boot))
        return result.failure("switch-to-configuration boot", limit: limit(record))
    }

    func deviation(_ record: Record) -> String? {
        guard !record.policy.boot, let system = NixOSSystem(in: record.closure) else { return nil }
        return elsewhere(system)
    }

    private typealias Step = (words: [String], location: String, mode: Script.Mode)

    private func step(_ record: Record) -> Step {
        switch record.policy.kind {
        case .wrapped:
            (["\(link.path)/\(Activatable.scriptName)"], link.path, record.policy.boot ? .boot : .activate)
        // The profile is not on it yet.
        case .system: (["\(record.closure)/\(NixOSSystem.switchName)", "test"], record.closure, .activate)
        }
    }

    private func run(_ record: Record, _ step: Step) async throws -> Script.Result {
        let script = Script(
            step.words, at: step.location, step.mode, tempPath: record.tempPath, limit: limit(record),
            nix.environment, note: RunningScript(folder: folder))
        return try await script.run { @Sendable [events] stream, line in
            events.send(.output(stream: stream, line: line))
        }
    }

    private func limit(_ record: Record) -> Duration? { record.activationTimeout.map { .seconds($0) } }

    private func explainPartial(_ end: inout ActivationEnd, _ before: Set<String>?, _ units: FailedUnits) async {
        end.isPartial = true
        let failed = await units.now(before: before)
        for unit in failed { events.send(.unitFailed(unit)) }
        let names = failed.map(\.text).joined(separator: ", ")
        end.failure = (end.failure ?? "") + ", some units failed" + (names.isEmpty ? "" : ": \(names)")
    }

    /// That another system runs than this one; nil where it runs, or the node does not tell.
    private func elsewhere(_ system: NixOSSystem) -> String? {
        guard let running = NixOSSystem.running(), !system.includes(running) else { return nil }
        return "the running system is \(running.path), not \(system.path)"
    }

    private func needsReboot(_ result: Script.Result, _ system: NixOSSystem, _ record: Record) -> Bool {
        if result.exit == .code(NixOSSystem.rebootCode) { return true }
        return record.runningSystem.flatMap { NixOSSystem(in: $0) }.map(system.needsReboot(from:)) ?? false
    }
}
