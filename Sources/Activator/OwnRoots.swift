import Glibc
import Shared

/// This user's folder among Nix's garbage collector roots, `gcroots/per-user/<user>`, which its older daemons make.
///
/// A link in it to a link elsewhere is a root as those in `gcroots/auto` are, but none that a collection takes away while
/// it leads nowhere.
struct OwnRoots: Sendable {
    static let prefix = "deploy-swift-"

    /// With a slash at the end.
    private let folder: String

    /// Nil where there is none that is ours alone to write to.
    init?(_ environment: [String: String]) {
        guard let user = environment["USER"], !user.isEmpty, !user.contains("/"), !user.hasPrefix(".") else {
            return nil
        }
        let own = "\(nixStateFolder(environment))/gcroots/per-user/\(user)"
        folder = own + "/"
        var status = stat()
        // A link to a folder is none to Nix, which would hold nothing by it.
        guard lstat(own, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
            status.st_mode & 0o022 == 0
        else { return nil }
    }

    /// Makes an absolute path a root for as long as a link to the store is there.
    ///
    /// - Returns: false where that cannot be done
    func register(_ path: String) -> Bool {
        let link = folder + Self.name(of: path)
        return symlink(path, link) == 0 || linkTarget(link) == path
    }

    /// The same for the same path, and short: a profile's path may be longer than a name can be.
    static func name(of path: String) -> String {
        // FNV-1a. Of two paths that it takes for one, the second is not registered here.
        let hash = path.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return prefix + String(hash, radix: 16)
    }

    /// Everything that users have made roots in this way.
    static func registered(_ environment: [String: String]) -> [String] {
        let perUser = "\(nixStateFolder(environment))/gcroots/per-user"
        return folderEntries(perUser).flatMap { user in
            folderEntries("\(perUser)/\(user)").filter { $0.hasPrefix(prefix) }
                .compactMap { linkTarget("\(perUser)/\(user)/\($0)") }
        }
    }
}
