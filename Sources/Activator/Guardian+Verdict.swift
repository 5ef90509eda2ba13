import Glibc
import Shared

/// The ends of an activation.
extension Guardian {
    mutating func commit() -> Activation.Event {
        do {
            var committed = record
            committed.state = .committed
            let generation = try work.generation()
            let moved = generation != record.progress.profileSet
            let notes = [
                record.note, moved ? "someone else has moved the profile meanwhile, to \(text(generation))" : nil,
                work.deviation(record),
            ].compactMap { $0 }
            let reason = notes.isEmpty ? nil : notes.joined(separator: "; ")
            committed.report = VerdictReport(.committed, generation: generation, reason: reason)
            committed.endedAt = time(nil)
            try journal.write(committed, in: .verdict)
            record = committed
            return .commitWritten
        } catch {
            return .commitFailed("the verdict could not be written down: \(error)")
        }
    }

    mutating func undo() async -> Activation.Event {
        if case .rollingBack(let reason) = machine.phase {
            record.reason = Record.bounded(reason)
            events.send(.rollingBack(reason: reason))
        }
        // Nothing can be confirmed from here on, even where the journal cannot say so.
        folder.remove(record.canary)
        do {
            try save(in: .undo)
        } catch {
            events.send(.warning("that it rolls back could not be written down: \(error)"))
        }
        let past = record.rebootInWords.map { [$0] } ?? []
        do {
            let end = try await work.undo(record)
            let notes = past + end.notes
            let note = notes.isEmpty ? nil : notes.joined(separator: "; ")
            return end.isWhole ? .undone(note: note) : .undoneInPart(note: note ?? "not all that has to run does")
        } catch {
            return .undoFailed((past + ["\(error)"]).joined(separator: "; "))
        }
    }

    /// Returns only if the machine goes on to run.
    mutating func reboot(_ why: String) async -> Activation.Event {
        do {
            try await work.prepareReboot(record)
            record.reboot = Record.Reboot(bootID: bootID, why: Record.bounded(why, 300))
            try save()
            events.send(.rebooting(reason: why, seconds: StandardLimits.reboot))
            return .rebootFailed("\(try await work.reboot())")
        } catch {
            record.reboot = nil
            return .rebootFailed("it was not rebooted: \(error)")
        }
    }

    /// Writes the verdict down, then tells it.
    mutating func conclude(_ verdict: Verdict, _ reason: String?, _ failure: String?) -> Activation.Event? {
        if record.report == nil {
            record.report = report(verdict, reason, failure)
            record.reason = reason.map { Record.bounded($0) }
        }
        // Of a rollback that went well nobody asks what it wrote.
        if record.lastLines.isEmpty || verdict == .stuck { record.lastLines = events.lastLines }
        do {
            if verdict != .committed {
                record.endedAt = time(nil)
                try save(in: .verdict)
            }
        } catch {
            journal.name(verdict, of: record.id)
            events.send(.warning("the verdict could not be written down: \(error)"))
        }
        // It joins the history when the next one takes its place: nobody has to wait for that now.
        clearUp(verdict)
        // First unlock, then tell: who hears of it may come back at once.
        unlock()
        if let report = record.report { events.send(.verdict(report)) }
        return nil
    }

    /// Takes away what nobody needs once there is a verdict; the profile's lock has to be held.
    func clearUp(_ verdict: Verdict) {
        journal.releaseSpares()
        canary.clear()
        legacyCanary?.clear()
        work.release(record, verdict)
    }

    private func report(_ verdict: Verdict, _ reason: String?, _ failure: String?) -> VerdictReport {
        // Where it cannot be read, the reason says more than a wrong place would.
        let generation = (try? work.generation()) ?? nil
        var reason = reason
        if verdict == .left, record.policy.setsProfileLast, !record.progress.settingProfile {
            reason = [reason, "it runs, but the profile and the next boot are as before"].compactMap { $0 }
                .joined(separator: "; ")
        }
        var report = VerdictReport(
            verdict, generation: generation, reason: reason.map { Record.bounded($0) },
            rollbackFailure: failure.map { Record.bounded($0) })
        report.needsReboot = record.needsReboot ? true : nil
        return report
    }
}
