import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Which file of the machine an agent is, as it was when it was added to the store.
///
/// Any change of the file's content changes one of these: the kernel sets the time of change, and nobody else can.
struct FileIdentity: Sendable, Codable, Equatable {
    var device: UInt64
    var inode: UInt64
    var size: Int64
    /// Nanoseconds since 1970.
    var modified: Int64
    /// Nanoseconds since 1970.
    var changed: Int64

    /// Nil where there is no such file.
    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Self.nanoseconds(status.modificationTime)
        changed = Self.nanoseconds(status.changeTime)
    }

    /// Whether a later change is sure to give another identity: the clock of files has a step of some milliseconds.
    var isSettled: Bool {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Self.nanoseconds(now) - changed > 1_000_000_000
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

extension stat {
    #if canImport(Glibc)
        fileprivate var modificationTime: timespec { st_mtim }
        fileprivate var changeTime: timespec { st_ctim }
    #else
        fileprivate var modificationTime: timespec { st_mtimespec }
        fileprivate var changeTime: timespec { st_ctimespec }
    #endif
}

/// The store paths of agents that were added before, in the user's cache folder; it only spares work, and is never needed.
struct AgentMemory: Sendable {
    private struct Entry: Codable {
        var file: FileIdentity
        var path: String
    }

    /// Absolute path of the file with one entry a line; nil for no memory.
    let place: String?
    /// Where Nix keeps its store.
    let store: String

    private static let limit = 16

    init(environment: [String: String]) {
        let home = environment["HOME"].flatMap { $0.hasPrefix("/") ? "\($0)/.cache" : nil }
        let cache = environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? home
        place = cache.map { "\($0)/deploy-swift/agents" }
        store = environment["NIX_STORE_DIR"] ?? "/nix/store"
    }

    /// The store path that this very file had; it need not be there any more.
    func path(of file: FileIdentity) -> String? {
        let path = entries().last { $0.file == file }?.path
        return path.flatMap { $0.hasPrefix(store + "/") && $0.hasSuffix("-\(AgentBinary.name)") ? $0 : nil }
    }

    func remember(_ path: String, of file: FileIdentity) {
        guard let place, file.isSettled else { return }
        let kept = entries().filter { $0.file != file }.suffix(Self.limit - 1) + [Entry(file: file, path: path)]
        let lines = kept.compactMap { try? JSONLine.encode($0) }.map { $0 + "\n" }.joined()
        // What cannot be remembered is found out again next time.
        guard let nonce = try? Nonce.random(), (try? makeFolders(String(place.dropLast("/agents".count)))) != nil
        else { return }
        let scratch = "\(place).\(nonce)"
        let file = open(scratch, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        let isWritten = writeAll(file, lines)
        close(file)
        if !isWritten || rename(scratch, place) != 0 { unlink(scratch) }
    }

    private func entries() -> [Entry] {
        guard let place else { return [] }
        let file = open(place, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var status = stat()
        // Only our own word counts.
        guard fstat(file, &status) == 0, status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").compactMap {
            try? JSONLine.decode(Entry.self, from: $0)
        }
    }
}
