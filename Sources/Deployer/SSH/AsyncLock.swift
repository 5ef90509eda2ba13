import Synchronization

/// A lock that is held across `await`, first come first served.
///
/// For things of which there is one, such as the terminal; shared state belongs into a `Mutex` or an actor.
final class AsyncLock: Sendable {
    private struct State {
        var isTaken = false
        var nextID = 0
        var waiters: [(id: Int, continuation: CheckedContinuation<Void, any Error>)] = []
    }
    private let state = Mutex(State())

    /// Runs the body while nobody else does.
    ///
    /// - Throws: `CancellationError` when cancelled while waiting; what the body throws
    func withLock<Result>(_ body: () async throws -> Result) async throws -> Result {
        try await take()
        defer { give() }
        return try await body()
    }

    private func take() async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let (isCancelled, isMine) = state.withLock { state in
                    // Looked at under the lock that the cancellation takes: one of the two sees the other.
                    if Task.isCancelled { return (true, false) }
                    defer { state.isTaken = true }
                    if state.isTaken { state.waiters.append((id, continuation)) }
                    return (false, !state.isTaken)
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
                if isMine { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume(throwing: CancellationError())
        }
    }

    private func give() {
        let next = state.withLock { state in
            if state.waiters.isEmpty {
                state.isTaken = false
                return nil as CheckedContinuation<Void, any Error>?
            }
            return state.waiters.removeFirst().continuation
        }
        next?.resume()
    }
}
