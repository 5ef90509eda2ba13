import Glibc
import Shared

/// What leads to a user's own service manager and bus: without it `systemctl --user` does not know whom to ask.
enum UserSession {
    /// Puts in what a login would have set and what becoming another user loses, or leaves over from somebody else.
    ///
    /// - Parameter base: where systemd-logind makes a folder for each user that is there or lingers
    static func completed(
        _ environment: [String: String], user: uid_t = getuid(), base: String = "/run/user"
    ) -> [String: String] {
        if let folder = environment["XDG_RUNTIME_DIR"], isFolder(folder, of: user) { return environment }
        var environment = environment
        environment["XDG_RUNTIME_DIR"] = nil
        environment["DBUS_SESSION_BUS_ADDRESS"] = nil
        let folder = "\(base)/\(user)"
        guard isFolder(folder, of: user) else { return environment }
        environment["XDG_RUNTIME_DIR"] = folder
        if access("\(folder)/bus", F_OK) == 0 { environment["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=\(folder)/bus" }
        return environment
    }

    private static func isFolder(_ path: String, of user: uid_t) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == user
    }
}
