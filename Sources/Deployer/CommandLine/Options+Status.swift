import Shared

extension Options {
    /// The command line that asks the same nodes, in the same way, how things stand.
    var statusCommand: String {
        var words = ["deploy", "status"]
        if let file { words += ["--file", file] }
        if let agent { words += ["--agent", agent] }
        if transport != .automatic { words += ["--ssh-transport", transport.rawValue] }
        words += overrides.connectionWords
        if targets.count > 1 { words.append("--targets") }
        words += targets
        if !nixArguments.isEmpty { words += ["--"] + nixArguments }
        return shellQuoted(words)
    }
}

extension Overrides {
    /// Those that decide where to log in, and as whom.
    fileprivate var connectionWords: [String] {
        var words: [String] = []
        if let hostnames { words += ["--hostname", hostnames.joined(separator: ",")] }
        if isLocal { words.append("--local") }
        if let sshUser { words += ["--ssh-user", sshUser] }
        if let sshOpts { words += ["--ssh-opts", shellQuoted(sshOpts)] }
        if let profileUser { words += ["--profile-user", profileUser] }
        if let sudo { words += ["--sudo", shellQuoted(sudo)] }
        if let interactiveSudo { words += ["--interactive-sudo", String(interactiveSudo)] }
        return words
    }
}
