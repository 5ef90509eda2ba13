import Glibc

/// The note that an activation which has not begun must not begin any more: its deployer has been told so.
///
/// The agent says in the lock that it begins, then looks for this; a confirmation makes this, then looks into the lock.
/// So at least one of them sees the other.
struct Refusal: Sendable {
    private static let prefix = "refused-"
    /// In seconds; no agent takes so long to begin.
    private static let limit = 60 * 60

    let folder: StateFolder
    let id: String

    private var name: String { Self.prefix + id }

    /// Where no file can be made, an activation could not be staged either.
    func make() { try? folder.create(name, []) }

    var isMade: Bool { folder.contains(name) }

    /// Removes those that nobody can mean any more.
    static func clearOld(in folder: StateFolder) {
        for name in folderEntries(folder.path) where name.hasPrefix(prefix) {
            var status = stat()
            guard fstatat(folder.descriptor.raw, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            if time(nil) - status.st_mtim.tv_sec > limit { folder.remove(name) }
        }
    }
}
