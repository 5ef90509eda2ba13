import Dispatch
import Shared

/// Tells the deployer, at once and then at regular times, that this process runs and that the link to it works.
///
/// It ends with its owner.
final class Heartbeat {
    private let timer: any DispatchSourceTimer

    /// - Parameter onBroken: called each time that nobody has read it
    init(_ reporter: Reporter, onBroken: @escaping @Sendable () -> Void = {}) {
        timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "heartbeat"))
        timer.schedule(deadline: .now(), repeating: .seconds(StandardLimits.heartbeat))
        timer.setEventHandler { @Sendable in
            reporter.relay(.alive)
            if reporter.isBroken { onBroken() }
        }
        timer.activate()
    }

    deinit { timer.cancel() }
}
