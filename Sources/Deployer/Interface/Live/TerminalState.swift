#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a terminal is like right now.
struct TerminalState: Sendable {
    /// The signal after which somebody else may have written to the terminal.
    static let resumed = SIGCONT

    private let descriptor: Int32
    /// Whether it shows what is typed when nobody asks for a secret.
    private let usuallyEchoes: Bool

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        usuallyEchoes = Self.echoes(descriptor)
    }

    /// 80 by 24 where it does not say.
    var size: ScreenSize {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return ScreenSize(columns: 80, rows: 24)
        }
        return ScreenSize(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }

    /// False while another program has it: we are in the background, or one that we started asks for a secret.
    var isOurs: Bool {
        let group = tcgetpgrp(descriptor)
        if group >= 0 && group != getpgrp() { return false }
        return !usuallyEchoes || Self.echoes(descriptor)
    }

    private static func echoes(_ descriptor: Int32) -> Bool {
        var settings = termios()
        return tcgetattr(descriptor, &settings) == 0 && settings.c_lflag & tcflag_t(ECHO) != 0
    }

    /// True for a terminal that understands escape sequences and is watched by a person.
    static func isLive(_ descriptor: Int32, environment: [String: String]) -> Bool {
        let isWatched = (environment["CI"] ?? "").isEmpty || environment["CI"] == "false"
        return isWatched && !(environment["TERM"] ?? "").isEmpty
            && Console.terminalWantsColor(descriptor, environment: environment)
    }
}
