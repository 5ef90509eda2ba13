import Dispatch
import Shared

/// Tells the deployer, at once and then at regular times, that this process runs and that the link to it works.
///
/// It ends with its owner.
final class Heartbeat {
    private let timer: any DispatchSourceTimer

    init(_ reporter: Reporter) {
        timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "heartbeat"))
        timer.schedule(deadline: .now(), repeating: .seconds(StandardLimits.heartbeat))
        timer.setEventHandler { @Sendable in reporter.relay(.alive) }
        timer.activate()
    }

    deinit { timer.cancel() }
}
