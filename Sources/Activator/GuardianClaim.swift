import Glibc
import Shared

/// The file `start-<token>`: whoever removes it decides whether the guardian that was called begins, so that one whose
/// starter gave it up cannot begin late, beside another.
///
/// From then on its lock is held for as long as anything of that guardian lives.
struct GuardianClaim: Sendable {
    private static let prefix = "start-"

    let token: String
    private let folder: StateFolder
    private let file: OwnedDescriptor

    /// Makes one, and takes those back that were left behind; for the holder of the profile's lock.
    init(in folder: StateFolder) throws {
        for name in folderEntries(folder.path) where name.hasPrefix(Self.prefix) { folder.remove(name) }
        self.folder = folder
        token = String(try Nonce.random().prefix(8))
        file = try folder.open(Self.prefix + token, O_RDWR | O_CREAT | O_EXCL)
    }

    /// Takes it, for the guardian that was called.
    ///
    /// - Returns: what holds its lock; nil if its maker has taken it back
    static func take(_ token: String, in folder: StateFolder) throws(SystemError) -> OwnedDescriptor? {
        let file: OwnedDescriptor
        do throws(SystemError) {
            file = try folder.open(prefix + token, O_RDWR)
        } catch {
            if error.number == ENOENT { return nil }
            throw error
        }
        guard flock(file.raw, LOCK_EX | LOCK_NB) == 0 else { throw SystemError("flock", folder.path + prefix + token) }
        return unlinkat(folder.descriptor.raw, prefix + token, 0) == 0 ? file : nil
    }

    var isTaken: Bool { !folder.contains(Self.prefix + token) }

    /// Takes it back; false if the guardian was quicker.
    func withdraw() -> Bool { unlinkat(folder.descriptor.raw, Self.prefix + token, 0) == 0 }

    /// Blocks until nothing of the guardian lives that has taken it.
    func waitUntilEnded() {
        // Interrupted, it is asked again; it has no other way to fail.
        while flock(file.raw, LOCK_SH) != 0 && errno == EINTR {}
    }
}
