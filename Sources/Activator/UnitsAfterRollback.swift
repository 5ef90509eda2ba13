import Glibc
import Shared

/// Sees to the units of systemd once a generation is back: those that must run are started, those that are failed are named.
///
/// Switching back compares units with a half-applied state, so that some stay stopped which nobody would miss in time.
struct UnitsAfterRollback: Sendable {
    /// What `systemctl start` ends with where there is no such unit.
    private static let noSuchUnit: Int32 = 5
    private static let startLimit = Duration.seconds(30)
    /// For all of them, so that the deployer hears of the verdict in time.
    private static let limit = Duration.seconds(90)

    let record: Record
    let systemd: Systemd
    let events: EventLog

    /// Nothing to tell where all is well, or nothing was run that could have touched them.
    func see() async -> UndoEnd {
        var found = UndoEnd()
        guard record.progress.scriptStarted, !record.policy.boot else { return found }
        let end = ContinuousClock.now + Self.limit
        for unit in record.criticalUnits ?? [] {
            if ContinuousClock.now < end {
                await see(to: unit, &found)
            } else {
                found.notes.append("nobody could see to \(unit): those before it took too long")
            }
        }
        if let note = await failedUnits() { found.notes.append(note) }
        return found
    }

    /// Starts a unit unless it runs. One that is slow, that is not there or that had failed before is no damage of this rollback's.
    private func see(to unit: String, _ found: inout UndoEnd) async {
        guard let state = await systemd.run(["is-active", "--", unit], limit: FailedUnits.timeLimit) else {
            return found.notes.append("nobody could see to \(unit): systemctl does not answer")
        }
        if state.exit.isSuccess || trimmed(state.text) == "reloading" { return }
        // A unit that failed too often in too short a time is not started again before that.
        _ = await systemd.run(["reset-failed", "--", unit], limit: FailedUnits.timeLimit)
        let start = await systemd.run(["start", "--", unit], limit: Self.startLimit)
        if start?.exit.isSuccess == true {
            return found.notes.append("\(unit), which is critical, did not run and was started")
        }
        if let start, start.exit != .code(Self.noSuchUnit), !hadFailed(unit) { found.isWhole = false }
        let reason = await systemd.run(["is-active", "--", unit], limit: FailedUnits.timeLimit)
        found.notes.append(
            "\(unit), which is critical, does not start (\(reason.map { trimmed($0.text) } ?? "unknown"))")
    }

    /// Before the activation.
    private func hadFailed(_ unit: String) -> Bool {
        (record.progress.failedUnits ?? []).contains { $0 == unit || $0 == "\(unit).service" }
    }

    /// Those that are failed now, where the profile is one that sets up units.
    private func failedUnits() async -> String? {
        let closures = [record.closure, record.previous?.path, record.runningSystem].compactMap { $0 }
        let isSystem = geteuid() == 0 && closures.contains { NixOSSystem(in: $0) != nil }
        guard isSystem || record.criticalUnits != nil else { return nil }
        let before = record.progress.failedUnits.map { Set($0) }
        let failed = await FailedUnits(systemd: systemd).now(before: before)
        for unit in failed where unit.isNew { events.send(.unitFailed(unit)) }
        if failed.isEmpty { return nil }
        return "these units are failed: \(failed.map(\.text).joined(separator: ", "))"
    }
}

/// A rollback that failed, with what became of the units all the same.
struct FailedRollback: Error, CustomStringConvertible {
    let cause: any Error
    let notes: [String]

    var description: String { (["\(cause)"] + notes).joined(separator: "; ") }
}
