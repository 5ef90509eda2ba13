import Shared
import Synchronization

/// Signs of life over one connection; the agent gives one every ``StandardLimits/heartbeat`` seconds.
final class Pulse: Sendable {
    /// Without one for this long, a link counts as cut. Where it is not, asking over another one does no harm.
    static let limit = Duration.seconds(8)

    private let limit: Duration
    private let last = Mutex(ContinuousClock.now)

    init(limit: Duration = Pulse.limit) { self.limit = limit }

    func beat() { last.withLock { $0 = .now } }

    /// Waits until there was none for as long as that; cancelling ends it early.
    func stops() async {
        while !Task.isCancelled {
            let end = last.withLock { $0 } + limit
            if end <= .now { return }
            // Cancelled: looked at above.
            try? await ContinuousClock().sleep(until: end)
        }
    }

    /// Does work for as long as it beats; past that the work is cancelled.
    ///
    /// - Throws: ``SilentLink``; what the work throws
    func during<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let value = try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await work() }
            group.addTask {
                await self.stops()
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        guard let value else {
            try Task.checkCancellation()
            throw SilentLink(limit: limit)
        }
        return value
    }
}

/// A connection over which nothing comes any more, though nobody has said that it is over.
struct SilentLink: Error, CustomStringConvertible {
    let limit: Duration

    var description: String { "nothing was heard for \(limit)" }
}
