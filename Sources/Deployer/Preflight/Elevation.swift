import Shared

/// How commands on a node become another user's.
enum Elevation: Sendable {
    /// The SSH user is the profile's user.
    case none
    /// These words in front; no password is needed.
    case words([String])
    /// These words in front, and the password as the first line of standard input.
    case password([String], Secret)

    /// The words and the standard input that run a command as the profile's user.
    func applied(to command: [String]) -> (words: [String], input: RemoteInput) {
        switch self {
        case .none: (command, .none)
        case .words(let prefix): (prefix + command, .none)
        case .password(let prefix, let secret):
            (prefix + Elevation.readingPassword(prefix) + command, RemoteInput(line: secret))
        }
    }

    /// The prefix as it fails at once, rather than asking, where a password is needed; as it is for a program that is
    /// not known to have such a form.
    static func withoutAsking(_ prefix: [String]) -> [String] {
        canRefuseToAsk(prefix) ? prefix.prefix(1) + ["-n"] + prefix.dropFirst() : prefix
    }

    /// Whether the program has an option to fail where a password is needed.
    static func canRefuseToAsk(_ prefix: [String]) -> Bool {
        prefix.first.map { ["sudo", "doas"].contains(baseName($0)) } ?? false
    }

    /// As deploy-rs: `sudo` is told to read the password from standard input and to print no prompt; any other
    /// program has to do so by itself.
    private static func readingPassword(_ prefix: [String]) -> [String] {
        prefix.first.map(baseName) == "sudo" ? ["-S", "-p", ""] : []
    }
}

/// The last part of a path.
func baseName(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
}
