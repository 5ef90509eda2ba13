import Dispatch
import Glibc
import Shared

extension ProfileLock {
    /// Takes the lock, waiting for whoever holds it; nil if the time is over first.
    ///
    /// - Parameters:
    ///   - seconds: 0 to not wait at all
    ///   - onWait: called once before waiting, with who holds it
    static func take(
        in folder: StateFolder, for holder: LockHolder, within seconds: Int, onWait: (LockHolder) -> Void
    ) async throws -> ProfileLock? {
        if let lock = try tryTake(in: folder, for: holder) { return lock }
        guard seconds > 0 else { return nil }
        let deadline = bootTime() + Int64(seconds) * 1_000_000_000
        if let other = try Self.holder(in: folder) { onWait(other) }
        while await isFree(folder, before: deadline) {
            if let lock = try tryTake(in: folder, for: holder) { return lock }
        }
        return nil
    }

    /// Waits until nobody holds it; false once the deadline is past.
    ///
    /// The kernel wakes us, in a thread that only waits; one that waits in vain ends with this process.
    private static func isFree(_ folder: StateFolder, before deadline: Int64) async -> Bool {
        let left = deadline - bootTime()
        guard left > 0 else { return false }
        let (answers, answer) = AsyncStream.makeStream(of: Bool.self)
        let timer = BootTimer(after: .nanoseconds(left)) { @Sendable in answer.yield(false) }
        defer { withExtendedLifetime(timer) {} }
        DispatchQueue(label: "lock").async { @Sendable in
            // What cannot be waited for is found out by trying.
            try? FileLock.waitUntilFree(livenessName, in: folder)
            answer.yield(true)
        }
        for await isFree in answers { return isFree }
        return false
    }
}
