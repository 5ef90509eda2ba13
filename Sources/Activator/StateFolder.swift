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
    /// What it does to its files.
    let files: any FileOperations

    /// - Parameter files: those of the open folder if nil
    init(path: String, descriptor: OwnedDescriptor, files: (any FileOperations)? = nil) {
        self.path = path
        self.descriptor = descriptor
        self.files = files ?? FolderFiles(folder: descriptor, path: path)
    }

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

    /// Opens such a folder at any absolute path, making it and what is above it.
    static func make(at path: String) throws(AgentError) -> StateFolder {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let parent = String(path[..<slash])
        do throws(SystemError) {
            try makeFolders(parent)
        } catch {
            throw .system(error)
        }
        guard let folder = try find(in: parent, String(path[path.index(after: slash)...]), making: true) else {
            throw .system(SystemError("openat", path, number: ENOENT))
        }
        return folder
    }

    /// Opens such a folder at any absolute path if there is one.
    static func find(at path: String) throws(AgentError) -> StateFolder? {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        return try find(in: String(path[..<slash]), String(path[path.index(after: slash)...]), making: false)
    }

    private static func find(in parent: String, _ name: String, making: Bool) throws(AgentError) -> StateFolder? {
        let raw = Glibc.open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else {
            if errno == ENOENT { return nil }
            throw .system(SystemError("open", parent))
        }
        return try StateFolder(path: parent + "/", descriptor: OwnedDescriptor(raw)).enter(name, making: making)
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
        try FolderFiles(folder: descriptor, path: path).open(name, flags)
    }

    /// A file's bytes; nil if there is none.
    func read(_ name: String, limit: Int) throws(SystemError) -> [UInt8]? { try files.read(name, limit: limit) }

    /// Replaces a file as a whole: after a crash or a power loss it is the old or the new one, never half of one.
    ///
    /// - Parameter spare: a file made with ``reserve(_:size:)`` that becomes the new one, where there is one
    func replace(_ name: String, _ bytes: [UInt8], with spare: String? = nil) throws(SystemError) {
        let temporary = spare ?? name + ".new"
        if spare == nil { remove(temporary) }
        do throws(SystemError) {
            try files.write(temporary, bytes, .durable)
        } catch {
            // Half of it would only take room away from whoever tries again.
            if spare == nil { remove(temporary) }
            throw error
        }
        try rename(temporary, name)
    }

    /// Makes a file that can be written to this size even once the disk is full.
    func reserve(_ name: String, size: Int) throws(SystemError) {
        remove(name)
        try files.reserve(name, size: size)
    }

    /// Makes a file that must not exist yet; a power loss may take it back.
    func create(_ name: String, _ bytes: [UInt8]) throws(SystemError) { try files.write(name, bytes, .new) }

    /// Renames within the folder, durably.
    func rename(_ name: String, _ other: String) throws(SystemError) {
        try move(name, other)
        try files.syncFolder()
    }

    /// Renames within the folder; a power loss may take it back.
    func move(_ name: String, _ other: String) throws(SystemError) { try files.rename(name, other) }

    /// Removes a file or link; one that is not there, or cannot be removed, does no harm to the callers.
    func remove(_ name: String) { files.remove(name) }

    func contains(_ name: String) -> Bool { files.contains(name) }

    /// True if the descriptor is of the file that has this name here.
    func isFile(_ name: String, _ file: OwnedDescriptor) -> Bool {
        var named = stat()
        var opened = stat()
        return fstatat(descriptor.raw, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(file.raw, &opened) == 0
            && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino
    }
}
