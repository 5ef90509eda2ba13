import Dispatch

/// A serial executor over a Dispatch queue, so that an actor and its Dispatch sources share one thread of control.
///
/// What runs here may block: the queue's thread is not one of the cooperative pool's.
final class QueueExecutor: SerialExecutor {
    let queue: DispatchQueue

    init(_ label: String) { queue = DispatchQueue(label: label) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { @Sendable [self] in job.runSynchronously(on: asUnownedSerialExecutor()) }
    }

    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
