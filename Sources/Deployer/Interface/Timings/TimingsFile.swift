import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Where the page of `--timings` goes: made sure of before the run, written after it.
struct TimingsFile: Sendable {
    private let path: String
    private let descriptor: Int32

    /// - Throws: ``SystemError`` where it cannot be written; a file that is there keeps its contents until ``write(_:)``
    init(_ path: String) throws(SystemError) {
        self.path = path
        descriptor = openForWriting(path)
        guard descriptor >= 0 else { throw SystemError("open", path) }
    }

    /// Puts the page in the place of what was there.
    func write(_ page: String) throws(SystemError) {
        defer { close(descriptor) }
        guard ftruncate(descriptor, 0) == 0 || errno == EINVAL, writeAll(descriptor, page) else {
            throw SystemError("write", path)
        }
    }
}

private func openForWriting(_ path: String) -> Int32 { open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644) }
