import Synchronization

/// How far this run is, and when each thing of it happened.
final class Progress: Sendable {
    /// Hears every event with its time since the run began.
    typealias Listener = @Sendable (ProgressEvent, Duration) -> Void

    private let start = ContinuousClock.now
    private let state = Mutex(ProgressModel())
    private let listener: Listener?

    init(listener: Listener? = nil) { self.listener = listener }

    /// Since the run began.
    var now: Duration { ContinuousClock.now - start }
    var model: ProgressModel { state.withLock { $0 } }

    func report(_ event: ProgressEvent) {
        // Under one lock with the clock, so that times never go back from one event to the next.
        let time = state.withLock { model in
            let time = now
            model.apply(event, at: time)
            return time
        }
        listener?(event, time)
    }
}
