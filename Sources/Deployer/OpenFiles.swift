#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How many descriptors this program may have open: five for each node that is logged in to, all of which stay so
/// until the last one is ready.
enum OpenFiles {
    /// Enough for more nodes than one machine can serve; a program that we start may close each of them one by one.
    private static let wanted: rlim_t = 1 << 16

    /// Takes as many as the system lets us have without asking; the usual 1024, or macOS's 256, end at some 200 nodes.
    ///
    /// - Returns: how many there can be now; nil where the system does not tell
    @discardableResult
    static func raiseLimit() -> Int? {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return nil }
        let most = min(limit.rlim_max, wanted)
        if limit.rlim_cur < most {
            var higher = limit
            higher.rlim_cur = most
            // Where it is refused, fewer nodes can be had at a time, and a failure to open one says so.
            if setrlimit(resource, &higher) == 0 { limit = higher }
        }
        return Int(clamping: limit.rlim_cur)
    }

    #if canImport(Glibc)
        private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        private static let resource = RLIMIT_NOFILE
    #endif
}
