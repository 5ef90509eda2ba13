import Dispatch

/// A serial executor over a Dispatch queue, so that an actor and its Dispatch sources share one thread of control.
///
/// What runs here may block: the queue's thread is not one of the cooperative pool's.
public final class QueueExecutor: SerialExecutor {
    public let queue: DispatchQueue

    public init(_ label: String) { queue = DispatchQueue(label: label) }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { @Sendable [self] in job.runSynchronously(on: asUnownedSerialExecutor()) }
    }

    public func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
