import Dispatch
import Glibc
import Shared

/// Waits for the verdict of an activation that another process carries.
struct VerdictWatch: Sendable {
    let folder: StateFolder
    let link: ProfileLink
    /// An activation that has not begun is waited for, until someone else forbids it.
    var awaitsStart = false

    /// Waits for it, finishing the work of a guardian that dies.
    ///
    /// - Parameter onChange: called with the record whenever it may have changed and has no verdict yet
    func verdict(of id: String, onChange: (Record) throws -> Void = { _ in }) async throws -> VerdictReport {
        let watch = ChangeWatch(folder)
        let free = Flag()
        pokeWhenFree(watch, free)
        let isLate = Flag()
        var isRefused = false
        var timer: BootTimer?
        defer { withExtendedLifetime(timer) {} }
        for await _ in watch.wakes {
            let isFree = free.isSet
            // Asked before the journal, so that one that is staged and let go of in between is found there.
            let holder = try ProfileLock.holder(in: folder)
            guard let record = try Journal(folder: folder).record(id) else {
                guard holder?.nonce == id else {
                    if awaitsStart, !Refusal(folder: folder, id: id).isMade { continue }
                    if isRefused { throw ConfirmError.unknownNonce(link: link.path, state: Status(link: link).inWords) }
                    // Who is told "unknown" says that nothing was changed: one that is only slow to begin must not make
                    // that a lie. First forbid it, then look once more.
                    Refusal(folder: folder, id: id).make()
                    isRefused = true
                    watch.poke()
                    continue
                }
                // It still finishes someone else's activation, before its own.
                if isFree { return try await verdict(of: id, onChange: onChange) }
                continue
            }
            if let report = record.report {
                // Only the verdict counts here: what cannot be taken away now is by the next deploy or boot.
                if isFree { try? await Recovery.clearUp(after: record, link, in: folder) }
                // It holds from now on; who hears of it may come back at once, so let the guardian end first.
                if isFree || isLate.isSet { return report }
                if timer == nil {
                    timer = BootTimer(after: .seconds(2)) { @Sendable in
                        isLate.set(); watch.poke()
                    }
                }
                continue
            }
            try onChange(record)
            if isFree { return try await takeOver(record, onChange) }
        }
        throw CancellationError()
    }

    /// The lock of a living guardian falls when it dies, which no one has to look for. It blocks a thread of its own.
    private func pokeWhenFree(_ watch: ChangeWatch, _ free: Flag) {
        DispatchQueue(label: "liveness").async { @Sendable [folder] in
            // If it cannot be watched, the verdict still wakes us.
            guard (try? FileLock.waitUntilFree(ProfileLock.livenessName, in: folder)) != nil else { return }
            free.set()
            watch.poke()
        }
    }

    private func takeOver(
        _ record: Record, _ onChange: (Record) throws -> Void
    ) async throws -> VerdictReport {
        guard let lock = try ProfileLock.tryTake(in: folder, for: record.holder) else {
            // Someone is at it already: wait for that one.
            return try await verdict(of: record.id, onChange: onChange)
        }
        defer { lock.end() }
        if let report = try Journal(folder: folder).record(record.id)?.report { return report }
        let silent = Reporter(.silent)
        return try await Recovery(link: link, folder: folder, reporter: silent).finish(record, lock)
    }
}
