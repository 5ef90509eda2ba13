import Synchronization

/// How far this run is, and when each thing of it happened.
final class Progress: Sendable {
    private let start = ContinuousClock.now
    private let state = Mutex(ProgressModel())

    /// Since the run began.
    var now: Duration { ContinuousClock.now - start }
    var model: ProgressModel { state.withLock { $0 } }

    /// - Returns: when it happened, since the run began
    @discardableResult
    func report(_ event: ProgressEvent) -> Duration {
        // Under one lock with the clock, so that times never go back from one event to the next.
        state.withLock { model in
            let time = now
            model.apply(event, at: time)
            return time
        }
    }
}
