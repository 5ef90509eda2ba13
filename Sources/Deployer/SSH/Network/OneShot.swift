import Dispatch
import Shared
import Synchronization

/// A value that is set once and waited for once, with a time limit; for what a thread or a callback delivers.
final class OneShot<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var isOver = false
        var waiter: CheckedContinuation<Value?, Never>?
    }
    private let state = Mutex(State())

    /// The first call counts.
    func set(_ value: Value) { finish(value) }

    /// - Returns: nil when the time is up
    /// - Throws: `CancellationError`
    func value(within limit: Duration) async throws -> Value? {
        let timer = DispatchWorkItem { @Sendable [self] in finish(nil) }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit.seconds, execute: timer)
        defer { timer.cancel() }
        let value = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isOver, value) = state.withLock { state in
                    if !state.isOver { state.waiter = continuation }
                    return (state.isOver, state.value)
                }
                if isOver { continuation.resume(returning: value) }
            }
        } onCancel: {
            finish(nil)
        }
        if value == nil { try Task.checkCancellation() }
        return value
    }

    private func finish(_ value: Value?) {
        let waiter = state.withLock { state -> CheckedContinuation<Value?, Never>? in
            guard !state.isOver else { return nil }
            state.isOver = true
            state.value = value
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: value)
    }
}
