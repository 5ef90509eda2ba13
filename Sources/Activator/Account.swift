import Glibc
import Shared

/// A user of this machine, as the account database has it; a static program has no `getpwuid`.
struct Account: Sendable, Equatable {
    var name: String
    var user: uid_t
    var group: gid_t
    /// Absolute path.
    var home: String

    /// Reads a line of /etc/passwd.
    init?(line: some StringProtocol) {
        let fields = line.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count >= 6, let user = uid_t(fields[2]), let group = gid_t(fields[3]), fields[5].hasPrefix("/")
        else { return nil }
        name = String(fields[0])
        self.user = user
        self.group = group
        home = String(fields[5])
    }

    /// Finds an account in /etc/passwd, else through `getent`, which knows of those that are kept elsewhere.
    static func find(_ user: uid_t) async -> Account? {
        if let account = find(user, in: readTextFile("/etc/passwd") ?? "") { return account }
        // Where there is no such program, there are no other accounts either.
        let result = try? await LocalCommand(["getent", "passwd", String(user)]).run(timeLimit: .seconds(30))
        return result.flatMap { find(user, in: $0.text) }
    }

    private static func find(_ user: uid_t, in text: String) -> Account? {
        for line in text.split(separator: "\n") {
            if let account = Account(line: line), account.user == user { return account }
        }
        return nil
    }

    /// The groups that it is in, its own first; of those that /etc/group does not know, none.
    func groups(in text: String) -> [gid_t] {
        var groups = [group]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count >= 4, let group = gid_t(fields[2]), !groups.contains(group) else { continue }
            if fields[3].split(separator: ",").contains(where: { $0 == name }) { groups.append(group) }
        }
        return groups
    }

    /// What a program of this user's begins with, from what one of root's has.
    func environment(from ours: [String: String]) -> [String: String] {
        var result = ours.filter { name, _ in
            ["PATH", "LANG", "LOCALE_ARCHIVE", "TZDIR"].contains(name)
                || (name.hasPrefix("NIX_") && name != "NIX_CONFIG")
        }
        result["HOME"] = home
        result["USER"] = name
        result["LOGNAME"] = name
        if access("/run/user/\(user)", F_OK) == 0 { result["XDG_RUNTIME_DIR"] = "/run/user/\(user)" }
        return result
    }

    /// True if nobody but root and this user can change where a path leads, which must be resolved.
    func isAlone(on path: String) -> Bool {
        var folder = ""
        for part in [""] + path.split(separator: "/").map({ "/" + $0 }) {
            folder += part
            var status = stat()
            guard lstat(folder.isEmpty ? "/" : folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
                status.st_uid == 0 || status.st_uid == user
            else { return false }
            // In a sticky folder of root's nobody moves what is another's.
            if status.st_uid == 0, status.st_mode & S_ISVTX != 0 { continue }
            if status.st_mode & 0o002 != 0 || (status.st_mode & 0o020 != 0 && status.st_gid != group) { return false }
        }
        return true
    }
}
