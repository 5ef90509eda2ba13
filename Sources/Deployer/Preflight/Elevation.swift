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
        case .words(let prefix): (Elevation.wrapped(prefix, command), .none)
        case .password(let prefix, let secret):
            (Elevation.wrapped(prefix + Elevation.readingPassword(prefix), command), RemoteInput(line: secret))
        }
    }

    /// The prefix as it fails at once, rather than asking, where a password is needed; as it is for a program that is
    /// not known to have such a form.
    static func withoutAsking(_ prefix: [String]) -> [String] {
        switch program(prefix) {
        case "sudo", "doas": prefix.prefix(1) + ["-n"] + prefix.dropFirst()
        case "run0": prefix.prefix(1) + ["--no-ask-password"] + prefix.dropFirst()
        default: prefix
        }
    }

    /// Whether the program fails where a password is needed: told to, or as `su` does at the end of its input.
    static func canRefuseToAsk(_ prefix: [String]) -> Bool {
        ["sudo", "doas", "run0", "su"].contains(program(prefix))
    }

    /// Whether the program may read a password from standard input: these two want a terminal, or ask elsewhere.
    static func readsPassword(_ prefix: [String]) -> Bool { !["doas", "run0"].contains(program(prefix)) }

    /// The words that run a command behind the prefix, which ends with the user; `su` takes the command as one text.
    static func wrapped(_ prefix: [String], _ command: [String]) -> [String] {
        program(prefix) == "su" ? prefix + ["-c", shellQuoted(command)] : prefix + command
    }

    /// A program's last line without the question before it, which `su` writes on the same one.
    static func reason(_ line: String) -> String {
        let question = "Password: "
        return line.hasPrefix(question) ? String(line.dropFirst(question.count)) : line
    }

    /// The program that a prefix starts.
    static func program(_ prefix: [String]) -> String { prefix.first.map(baseName) ?? "" }

    /// As deploy-rs: `sudo` is told to read the password from standard input and to print no prompt; any other
    /// program has to do so by itself.
    private static func readingPassword(_ prefix: [String]) -> [String] {
        program(prefix) == "sudo" ? ["-S", "-p", ""] : []
    }
}

/// The last part of a path.
func baseName(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
}
