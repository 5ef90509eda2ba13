/// The command lines of the second transport, the system's `ssh`.
///
/// One login per connection: a control master of our own, in a folder of its own, that carries all its commands.
struct OpenSSHCommandLine: Sendable, Equatable {
    let destination: Destination
    let configuration: SSHConfiguration
    /// Holds the control socket and the logs.
    let folder: String

    var controlPath: String { folder + "/s" }
    var masterLog: String { folder + "/master.log" }

    /// What the master prints once it is logged in and listens.
    static let readyWord = "ready"

    /// After the user's options, since the last one counts here.
    private static let noTerminal = ["-T"]

    /// Logs in and stays. Our options come first, since the first value that `ssh` finds counts.
    func master() -> [String] {
        var words = ["ssh", "-N", "-E", masterLog]
        var options = [
            "ControlMaster=yes", "ControlPath=\(controlPath)", "ControlPersist=no", "LogLevel=INFO",
            // Runs when the control socket listens: an event to wait for instead of looking again and again.
            "PermitLocalCommand=yes", "LocalCommand=echo \(Self.readyWord)", "RemoteCommand=none", "RequestTTY=no",
            "ClearAllForwardings=yes", "Compression=\(configuration.compresses ? "yes" : "no")",
        ]
        // Where the user has set these, theirs count.
        // It would also count the time that a person takes to answer a host on the way.
        if configuration.connectTimeout == nil, !configuration.isProxied {
            options.append("ConnectTimeout=10")
        }
        if configuration.serverAliveInterval == nil {
            options += ["ServerAliveInterval=15", "ServerAliveCountMax=3"]
        }
        words += options.flatMap { ["-o", $0] }
        return destination.sshWords(words, Self.noTerminal)
    }

    /// Runs a command over the master.
    ///
    /// Where the master cannot open another session, `ssh` would log in by itself: it is kept from that by having no
    /// method to do so, and another master is made instead.
    func command(_ command: String, log: String) -> [String] {
        let options = [
            "ControlMaster=no", "ControlPath=\(controlPath)", "LogLevel=INFO", "RemoteCommand=none", "RequestTTY=no",
            "ClearAllForwardings=yes", "PermitLocalCommand=no", "BatchMode=yes", "PreferredAuthentications=none",
        ]
        let words = ["ssh", "-E", log] + options.flatMap { ["-o", $0] }
        return destination.sshWords(words, Self.noTerminal) + [command]
    }

    /// Asks the master for a sign of life.
    func check() -> [String] {
        destination.sshWords(["ssh", "-O", "check", "-o", "ControlPath=\(controlPath)"])
    }
}
