#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The system call `poll`, under a name that no method hides.
func systemPoll(_ descriptors: UnsafeMutablePointer<pollfd>, _ count: Int, _ milliseconds: Int32) -> Int32 {
    poll(descriptors, nfds_t(count), milliseconds)
}
