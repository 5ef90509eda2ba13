import Glibc
import Shared

/// The profiles on this machine that were ever activated by this tool: all of them for root, else our own.
struct KnownProfiles: Sendable {
    struct Profile: Sendable, Hashable {
        /// Absolute path of the link; no part of it before its name is a symbolic link.
        var link: String
        /// Whose state folder it has.
        var owner: uid_t
    }

    let environment: [String: String]

    /// Root's first.
    func find() -> [Profile] {
        let folders = Set(candidates.map(resolved))
        return folders.flatMap(profiles).sorted { ($0.owner, $0.link) < ($1.owner, $1.link) }
    }

    /// Folders that may hold profiles: Nix's own, and those of which Nix was told, as it is of each generation outside
    /// of these.
    private var candidates: [String] {
        let state = nixStateFolder(environment)
        let profiles = "\(state)/profiles"
        let perUser = folderEntries("\(profiles)/per-user").map { "\(profiles)/per-user/\($0)" }
        let roots = "\(state)/gcroots/auto"
        let told = folderEntries(roots).compactMap { linkTarget("\(roots)/\($0)") } + OwnRoots.registered(environment)
        return [profiles] + perUser + told.compactMap(Self.folder)
    }

    /// The folder of the profile that a root's path belongs to: a generation, or one of our own in its state folder.
    static func folder(ofRoot path: String) -> String? {
        guard path.hasPrefix("/") else { return nil }
        var parts = path.split(separator: "/")
        if let container = parts.lastIndex(where: { $0 == StateFolder.container }) {
            parts.removeSubrange(container...)
        } else {
            guard path.hasSuffix("-link") else { return nil }
            parts.removeLast()
        }
        return "/" + parts.joined(separator: "/")
    }

    /// Looks at owners and names only: what is in a user's folders is that user's to read.
    private func profiles(in folder: String) -> [Profile] {
        let container = "\(folder == "/" ? "" : folder)/\(StateFolder.container)"
        guard let owner = ownerOfFolder(container), geteuid() == 0 || owner == geteuid() else { return [] }
        return folderEntries(container).compactMap { name in
            guard ownerOfFolder("\(container)/\(name)") == owner else { return nil }
            return Profile(link: "\(folder == "/" ? "" : folder)/\(name)", owner: owner)
        }
    }

    /// Nil for anything but a folder, also a link to one.
    private func ownerOfFolder(_ path: String) -> uid_t? {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
        return status.st_uid
    }
}
