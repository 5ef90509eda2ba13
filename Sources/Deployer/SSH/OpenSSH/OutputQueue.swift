import Dispatch
import Synchronization

/// Carries a local program's output from the thread that reads it to the task that uses it.
///
/// The reader is held back while too much is waiting, so that a slow user does not fill the memory.
final class OutputQueue: Sendable {
    private struct State {
        var pieces: [RemoteOutput] = []
        var bytes = 0
        var isOver = false
        var isDropped = false
        var waiter: CheckedContinuation<RemoteOutput?, Never>?
        var isReaderWaiting = false
    }
    private let state = Mutex(State())
    private let room = DispatchSemaphore(value: 0)
    private let limit: Int

    /// - Parameter limit: bytes that may wait
    init(limit: Int = 4 << 20) { self.limit = limit }

    /// Adds a piece; blocks while there are too many.
    func add(_ piece: RemoteOutput) {
        let (waiter, mustWait) = state.withLock { state -> (CheckedContinuation<RemoteOutput?, Never>?, Bool) in
            if state.isDropped { return (nil, false) }
            if let waiter = state.waiter {
                state.waiter = nil
                return (waiter, false)
            }
            state.pieces.append(piece)
            state.bytes += piece.count
            state.isReaderWaiting = state.bytes > limit
            return (nil, state.isReaderWaiting)
        }
        // Never while the lock is held: resuming takes the task's own lock, and whoever cancels it holds that one
        // while it waits for ours.
        waiter?.resume(returning: piece)
        if mustWait { room.wait() }
    }

    /// No more comes.
    func finish() {
        let waiter = state.withLock { state in
            state.isOver = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    /// Nobody takes what is left.
    func drop() {
        finish()
        state.withLock { state in
            state.isDropped = true
            state.pieces = []
            release(&state)
        }
    }

    /// The next piece, oldest first; nil after the last.
    ///
    /// - Throws: `CancellationError`
    func next() async throws -> RemoteOutput? {
        let piece = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isSettled, piece) = state.withLock { state in take(&state, continuation) }
                if isSettled { continuation.resume(returning: piece) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: nil)
        }
        if piece == nil { try Task.checkCancellation() }
        return piece
    }

    private func take(
        _ state: inout State, _ continuation: CheckedContinuation<RemoteOutput?, Never>
    ) -> (Bool, RemoteOutput?) {
        if !state.pieces.isEmpty {
            let piece = state.pieces.removeFirst()
            state.bytes -= piece.count
            if state.bytes <= limit / 2 { release(&state) }
            return (true, piece)
        }
        if state.isOver || Task.isCancelled { return (true, nil) }
        state.waiter = continuation
        return (false, nil)
    }

    private func release(_ state: inout State) {
        guard state.isReaderWaiting else { return }
        state.isReaderWaiting = false
        room.signal()
    }
}

extension RemoteOutput {
    var count: Int {
        switch self {
        case .stdout(let bytes), .stderr(let bytes): bytes.count
        }
    }
}
