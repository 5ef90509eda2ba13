import Glibc
import Shared

/// Log lines as deploy-rs's agent prints them on standard error, and with `--log-dir` into a file.
struct LegacyLog: Sendable {
    enum Level: String, Sendable {
        case error = "ERROR"
        case warn = "WARN"
        case info = "INFO"
        case debug = "DEBUG"

        var mark: String {
            switch self {
            case .error: "❌"
            case .warn: "⚠️"
            case .info: "ℹ️"
            case .debug: "❓"
            }
        }
    }

    /// The subcommand: activate, wait, revoke.
    let name: String
    let debug: Bool
    private let file: OwnedDescriptor?

    init(_ name: String, _ options: AgentOptions) {
        self.name = name
        debug = options.debugLogs
        guard let folder = options.logDirectory else {
            file = nil
            return
        }
        // As deploy-rs: one file a run, named after the program and its subcommand. Without it, work goes on.
        let path = "\(folder)/activate_\(name)_\(time(nil))_\(getpid()).log"
        let raw = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        file = raw < 0 ? nil : OwnedDescriptor(raw)
        if raw < 0 { write(.warn, "no log file: \(SystemError("open", path))") }
    }

    func write(_ level: Level, _ text: String) {
        let line = "\(mark) \(level.mark) [\(name)] [\(level.rawValue)] \(text)\n"
        // Neither log may harm the work it tells of.
        if level != .debug || debug { _ = writeAll(STDERR_FILENO, line) }
        if let file { _ = writeAll(file.raw, line) }
    }

    private var mark: String {
        switch name {
        case "wait": "👀"
        case "revoke": "↩️"
        default: "⭐"
        }
    }
}
