import Glibc
import Shared

/// How a file is written.
struct FileWrite: OptionSet, Sendable {
    let rawValue: Int
    /// It must not be there yet.
    static let new = FileWrite(rawValue: 1)
    /// Its bytes, not its name, are on the disk afterwards.
    static let durable = FileWrite(rawValue: 2)
}

/// What the journal does to the files of its folder: each a step at which the machine may stop.
///
/// A name that was made, moved or removed is only on the disk after ``syncFolder()``.
protocol FileOperations: Sendable {
    /// A file's bytes; nil if there is none.
    func read(_ name: String, limit: Int) throws(SystemError) -> [UInt8]?
    /// Makes these the file's bytes, in the room that it has.
    func write(_ name: String, _ bytes: [UInt8], _ how: FileWrite) throws(SystemError)
    /// Makes a new file that can be written to this size even once the disk is full.
    func reserve(_ name: String, size: Int) throws(SystemError)
    func rename(_ name: String, _ other: String) throws(SystemError)
    /// Removes a file or link; one that is not there, or cannot be removed, does no harm to the callers.
    func remove(_ name: String)
    func contains(_ name: String) -> Bool
    func syncFolder() throws(SystemError)
}

/// The real ones, in an open folder; symbolic links are not followed.
struct FolderFiles: FileOperations {
    let folder: OwnedDescriptor
    /// For people, with a slash at the end.
    let path: String

    func open(_ name: String, _ flags: Int32) throws(SystemError) -> OwnedDescriptor {
        let raw = openat(folder.raw, name, flags | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw SystemError("open", path + name) }
        return OwnedDescriptor(raw)
    }

    func read(_ name: String, limit: Int) throws(SystemError) -> [UInt8]? {
        do throws(SystemError) {
            return try open(name, O_RDONLY).read(limit: limit, path + name)
        } catch {
            if error.number == ENOENT { return nil }
            throw error
        }
    }

    func write(_ name: String, _ bytes: [UInt8], _ how: FileWrite) throws(SystemError) {
        let file = try open(name, O_WRONLY | O_CREAT | (how.contains(.new) ? O_EXCL : 0))
        try file.write(bytes, path + name)
        if !how.contains(.new), ftruncate(file.raw, bytes.count) != 0 { throw SystemError("ftruncate", path + name) }
        if how.contains(.durable), fsync(file.raw) != 0 { throw SystemError("fsync", path + name) }
    }

    func reserve(_ name: String, size: Int) throws(SystemError) {
        let file = try open(name, O_WRONLY | O_CREAT | O_EXCL)
        var number: Int32
        repeat { number = posix_fallocate(file.raw, 0, size) } while number == EINTR
        guard number == 0 else { throw SystemError("posix_fallocate", path + name, number: number) }
    }

    func rename(_ name: String, _ other: String) throws(SystemError) {
        guard renameat(folder.raw, name, folder.raw, other) == 0 else { throw SystemError("rename", path + name) }
    }

    func remove(_ name: String) { unlinkat(folder.raw, name, 0) }

    func contains(_ name: String) -> Bool {
        var status = stat()
        return fstatat(folder.raw, name, &status, AT_SYMLINK_NOFOLLOW) == 0
    }

    func syncFolder() throws(SystemError) {
        guard fsync(folder.raw) == 0 else { throw SystemError("fsync", path) }
    }
}
