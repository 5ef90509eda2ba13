import Dispatch
import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One direction of a descriptor, watched for one event at a time.
///
/// Works on a duplicate, which it closes once Dispatch has let go of it: the original may be closed at any time.
/// Confined to the queue that it is made with.
final class Readiness {
    private let source: any DispatchSourceProtocol
    private var isArmed = false

    /// - Parameter onReady: called on the queue, once for each ``arm()``
    init(
        _ descriptor: Int32, _ direction: ReadySource.Direction, queue: DispatchQueue,
        onReady: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SystemError("fcntl") }
        do throws(SystemError) {
            source = try ReadySource.make(copy, direction, queue: queue, onReady: onReady) { @Sendable in close(copy) }
        } catch {
            close(copy)
            throw error
        }
        // Dispatch traps when it frees a source that was never activated, or is suspended.
        source.activate()
        source.suspend()
    }

    deinit {
        source.cancel()
        if !isArmed { source.resume() }
    }

    /// Calls `onReady` when the descriptor is ready, or as soon as it is if it already is.
    func arm() {
        guard !isArmed else { return }
        isArmed = true
        source.resume()
    }

    /// Stops calling; the receiver of the event calls this first.
    func disarm() {
        guard isArmed else { return }
        isArmed = false
        source.suspend()
    }
}
