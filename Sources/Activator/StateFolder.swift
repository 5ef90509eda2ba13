import Glibc
import Shared

/// The private folder `.deploy-swift/<profile>/` beside a profile's link: ours alone, and never reached through a
/// symbolic link. All access goes through its descriptor, so that nobody can swap it under us.
struct StateFolder: Sendable {
    /// Holds the folders of all profiles whose links lie beside it.
    static let container = ".deploy-swift"

    /// For people and for Nix.
    let path: String
    let descriptor: OwnedDescriptor

    /// Opens the folder of a profile, making it and what is above it.
    ///
    /// - Throws: ``AgentError/foreignFolder(_:reason:)`` for one that others own or may write to
    static func make(beside link: ProfileLink) throws(AgentError) -> StateFolder {
        do throws(SystemError) {
            try makeFolders(link.folder)
        } catch {
            throw .system(error)
        }
        guard let folder = try open(beside: link, making: true) else {
            throw .system(SystemError("openat", link.folder, number: ENOENT))
        }
        return folder
    }

    /// Opens the folder of a profile if there is one; makes nothing.
    static func find(beside link: ProfileLink) throws(AgentError) -> StateFolder? {
        try open(beside: link, making: false)
    }

    private static func open(beside link: ProfileLink, making: Bool) throws(AgentError) -> StateFolder? {
        let raw = Glibc.open(link.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else {
            if errno == ENOENT { return nil }
            throw .system(SystemError("open", link.folder))
        }
        let parent = StateFolder(path: link.folder, descriptor: OwnedDescriptor(raw))
        return try parent.enter(container, making: making)?.enter(link.name, making: making)
    }

    private func enter(_ name: String, making: Bool) throws(AgentError) -> StateFolder? {
        let path = path + name + "/"
        if making {
            guard mkdirat(descriptor.raw, name, 0o700) == 0 || errno == EEXIST else {
                throw .system(SystemError("mkdir", path))
            }
        }
        let raw = openat(descriptor.raw, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else {
            if errno == ENOENT { return nil }
            if errno == ELOOP || errno == ENOTDIR { throw .foreignFolder(path, reason: "it is not a folder") }
            throw .system(SystemError("open", path))
        }
        let folder = StateFolder(path: path, descriptor: OwnedDescriptor(raw))
        try folder.check()
        return folder
    }

    private func check() throws(AgentError) {
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw .system(SystemError("fstat", path)) }
        guard status.st_uid == geteuid() else {
            throw .foreignFolder(path, reason: "it belongs to user \(status.st_uid), not to us (\(geteuid()))")
        }
        guard status.st_mode & 0o077 == 0 else { throw .foreignFolder(path, reason: "others may enter it") }
    }
}

extension StateFolder {
    /// Opens a file in it; symbolic links are not followed.
    func open(_ name: String, _ flags: Int32) throws(SystemError) -> OwnedDescriptor {
        let raw = openat(descriptor.raw, name, flags | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw SystemError("open", path + name) }
        return OwnedDescriptor(raw)
    }

    /// A file's bytes; nil if there is none.
    func read(_ name: String, limit: Int) throws(SystemError) -> [UInt8]? {
        do throws(SystemError) {
            return try open(name, O_RDONLY).read(limit: limit, path + name)
        } catch {
            if error.number == ENOENT { return nil }
            throw error
        }
    }

    /// Replaces a file as a whole: after a crash or a power loss it is the old or the new one, never half of one.
    func replace(_ name: String, _ bytes: [UInt8]) throws(SystemError) {
        let temporary = name + ".new"
        remove(temporary)
        let file = try open(temporary, O_WRONLY | O_CREAT | O_EXCL)
        try file.write(bytes, path + temporary)
        guard fsync(file.raw) == 0 else { throw SystemError("fsync", path + temporary) }
        try rename(temporary, name)
    }

    /// Makes a file that must not exist yet, durably.
    func create(_ name: String, _ bytes: [UInt8]) throws(SystemError) {
        let file = try open(name, O_WRONLY | O_CREAT | O_EXCL)
        try file.write(bytes, path + name)
        guard fsync(file.raw) == 0 else { throw SystemError("fsync", path + name) }
        try sync()
    }

    /// Renames within the folder, durably.
    func rename(_ name: String, _ other: String) throws(SystemError) {
        guard renameat(descriptor.raw, name, descriptor.raw, other) == 0 else {
            throw SystemError("rename", path + name)
        }
        try sync()
    }

    /// Removes a file or link; one that is not there, or cannot be removed, does no harm to the callers.
    func remove(_ name: String) { unlinkat(descriptor.raw, name, 0) }

    func contains(_ name: String) -> Bool {
        var status = stat()
        return fstatat(descriptor.raw, name, &status, AT_SYMLINK_NOFOLLOW) == 0
    }

    private func sync() throws(SystemError) {
        guard fsync(descriptor.raw) == 0 else { throw SystemError("fsync", path) }
    }
}
