/// A lock that is held across `await`, first come first served.
///
/// For things of which there is one, such as the terminal; shared state belongs into a `Mutex` or an actor.
final class AsyncLock: Sendable {
    private let slot = Slots(1)

    /// Runs the body while nobody else does.
    ///
    /// - Throws: `CancellationError` when cancelled while waiting; what the body throws
    func withLock<Result>(_ body: () async throws -> Result) async throws -> Result { try await slot.use(body) }
}
