import Dispatch

/// One thread for what a command awaits, which may block, and for what wakes it: to go from one to another costs more than
/// most steps.
final class OneThread: TaskExecutor {
    static let queue = DispatchQueue(label: "activate")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Self.queue.async { @Sendable [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
