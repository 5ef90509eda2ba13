import Synchronization

/// Room for so many at a time, first come first served.
final class Slots: Sendable {
    private struct State {
        var free: Int
        var nextID = 0
        var waiters: [(id: Int, continuation: CheckedContinuation<Void, any Error>)] = []
    }
    private let state: Mutex<State>

    /// - Parameter count: 1 or more
    init(_ count: Int) { state = Mutex(State(free: count)) }

    /// Runs the body once there is room.
    ///
    /// - Throws: `CancellationError` when cancelled while waiting; what the body throws
    func use<Result>(_ body: () async throws -> Result) async throws -> Result {
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
                    if state.free == 0 {
                        state.waiters.append((id, continuation))
                        return (false, false)
                    }
                    state.free -= 1
                    return (false, true)
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
                state.free += 1
                return nil as CheckedContinuation<Void, any Error>?
            }
            return state.waiters.removeFirst().continuation
        }
        next?.resume()
    }
}
