import Shared
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What tells one state of a file from another, as `make` and `git` do.
struct FileVersion: Sendable, Equatable {
    private let place: [UInt64]
    private let times: [Int]

    /// Nil if there is no such file.
    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        place = [UInt64(status.st_dev), UInt64(status.st_ino), UInt64(status.st_size)]
        #if canImport(Glibc)
            let (modified, changed) = (status.st_mtim, status.st_ctim)
        #else
            let (modified, changed) = (status.st_mtimespec, status.st_ctimespec)
        #endif
        times = [Int(modified.tv_sec), Int(modified.tv_nsec), Int(changed.tv_sec), Int(changed.tv_nsec)]
    }
}

/// The lines that were found for names in known_hosts files, for as long as the files stay as they are.
final class KnownHostsMemory: Sendable {
    private struct Place: Hashable {
        let name: String
        let file: String
    }
    private let found = Mutex<[Place: (version: FileVersion, lines: [KnownHost])]>([:])

    /// Nil if they have to be looked for.
    func lines(_ name: String, _ file: String, _ version: FileVersion?) -> [KnownHost]? {
        found.withLock { found in
            guard let known = found[Place(name: name, file: file)], known.version == version else { return nil }
            return known.lines
        }
    }

    func remember(_ lines: [KnownHost], _ name: String, _ file: String, _ version: FileVersion?) {
        guard let version else { return }
        found.withLock { $0[Place(name: name, file: file)] = (version, lines) }
    }
}
