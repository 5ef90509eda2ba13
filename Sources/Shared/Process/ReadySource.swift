import CSystem
import Dispatch

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Makes Dispatch sources for pipes and sockets, which, other than plain ones, survive that the other end hangs up.
///
/// On Linux, Dispatch reads freed memory when a descriptor that it watches reports EPOLLHUP: the source may be taken
/// apart on its own queue while Dispatch's manager still walks through its list (`_dispatch_event_merge_fd`). An epoll
/// descriptor around the one to be watched never reports that; it can merely be read.
public enum ReadySource {
    public enum Direction: Sendable { case input, output }

    /// A source that is not active yet.
    ///
    /// - Parameters:
    ///   - descriptor: stays open until `onCancel` is called, which may close it
    ///   - onReady: called on the queue while there is something to read, room to write, or the other end is gone
    /// - Throws: ``SystemError`` (no descriptors left); then nothing is called
    public static func make(
        _ descriptor: Int32, _ direction: Direction, queue: DispatchQueue, onReady: @escaping @Sendable () -> Void,
        onCancel: @escaping @Sendable () -> Void
    ) throws(SystemError) -> any DispatchSourceProtocol {
        #if os(Linux)
            let readiness = shim_readiness(descriptor, direction == .output ? 1 : 0)
            guard readiness >= 0 else { throw SystemError("epoll_ctl") }
            let source = DispatchSource.makeReadSource(fileDescriptor: readiness, queue: queue)
            source.setCancelHandler { @Sendable in
                close(readiness)
                onCancel()
            }
        #else
            let source: any DispatchSourceProtocol =
                switch direction {
                case .input: DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
                case .output: DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: queue)
                }
            source.setCancelHandler { @Sendable in onCancel() }
        #endif
        source.setEventHandler { @Sendable in onReady() }
        return source
    }
}
