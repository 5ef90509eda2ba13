import Glibc
import Shared

/// Where an activation keeps its temporary files. No activation fails for the lack of it: it then does with the usual one.
struct TemporaryFolder: Sendable {
    private static let usual = "/tmp"

    let path: String

    init(_ path: String) { self.path = path }

    /// For `TMPDIR`; nil for the usual one, and where it cannot be used.
    var variable: String? { path != Self.usual && isUsable ? path : nil }

    /// What to tell of one that cannot be used; nil where nothing is wrong.
    var warning: String? {
        if path == Self.usual || isUsable { return nil }
        let error = SystemError("access", path)
        return "the temp path \(path) cannot be used (\(error.reason)): TMPDIR is not set to it"
    }

    /// Makes it where it is missing, as deploy-rs does for its canary.
    func make() {
        // Why it cannot be made is what using it fails for, which is told.
        if path != Self.usual { try? makeFolders(path) }
    }

    /// With the dot only a folder is found.
    private var isUsable: Bool { access("\(path)/.", W_OK | X_OK) == 0 }
}
