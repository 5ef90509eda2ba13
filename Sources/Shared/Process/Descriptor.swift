import CSystem

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Helpers for raw file descriptors.
public enum Descriptor {
    /// Both ends of a new pipe, close-on-exec; the caller closes them.
    public static func pipe() throws(SystemError) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard shim_pipe(&ends) == 0 else { throw SystemError("pipe") }
        return (ends[0], ends[1])
    }

    /// Makes reads and writes return at once with `EAGAIN` where they would wait.
    public static func setNonBlocking(_ raw: Int32) throws(SystemError) {
        let flags = fcntl(raw, F_GETFL)
        guard flags >= 0, fcntl(raw, F_SETFL, flags | O_NONBLOCK) >= 0 else { throw SystemError("fcntl") }
    }
}
