import Shared
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A connection of Nix's to a store that is served here, for which the node's side can be started before it comes.
final class Arrival: Sendable {
    private enum State {
        case awaited
        case here(Int32)
        case over
    }
    private let state = Mutex(State.awaited)
    private let gate = Gate()

    /// It has come; its descriptor is closed at the end, or now where that is over.
    func come(_ descriptor: Int32) {
        let isWanted = state.withLock { state in
            guard case .awaited = state else { return false }
            state = .here(descriptor)
            return true
        }
        if isWanted { gate.open() } else { close(descriptor) }
    }

    /// Nix has ended, or never will connect.
    func staysAway() { gate.fail(CancellationError()) }

    /// Waits for it.
    ///
    /// - Throws: `CancellationError`, also where it never comes
    func socket() async throws -> Int32 {
        try await gate.wait()
        guard case .here(let descriptor) = state.withLock({ $0 }) else { throw CancellationError() }
        return descriptor
    }

    /// Lets Nix see the end, even while another owner still holds the socket.
    func end() {
        let last = state.withLock { state in
            defer { state = .over }
            return state
        }
        guard case .here(let descriptor) = last else { return }
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}
