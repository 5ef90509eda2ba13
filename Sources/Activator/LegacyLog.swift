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
        let path = Self.newFile(name, in: folder)
        let raw = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        file = raw < 0 ? nil : OwnedDescriptor(raw)
        if raw < 0 { write(.warn, "no log file: \(SystemError("open", path))") }
    }

    /// A log of a process whose standard error nobody reads.
    init(_ name: String, folder: String) {
        self.init(name, AgentOptions(logDirectory: folder))
    }

    /// As deploy-rs: one file a run, named after the program and its subcommand. Without it, work goes on.
    private static func newFile(_ name: String, in folder: String) -> String {
        makeFolder(folder)
        return "\(folder)/activate_\(name)_\(time(nil))_\(getpid()).log"
    }

    /// Root's is for the agents of all users, as /tmp is. What is missing then shows when the file is opened.
    private static func makeFolder(_ folder: String) {
        guard geteuid() == 0 else {
            try? makeFolders(folder)
            return
        }
        let parent = folder.lastIndex(of: "/").map { folder[..<$0] } ?? ""
        if !parent.isEmpty { try? makeFolders(String(parent)) }
        let mask = umask(0)
        mkdir(folder, 0o1777)
        umask(mask)
    }

    /// Writes an event into the file alone, an activation's output as it is.
    func note(_ event: AgentEvent) {
        guard let file else { return }
        switch event {
        case .output(_, let line): _ = writeAll(file.raw, line + "\n")
        case .activationEnded(let exit, _) where !exit.isSuccess:
            _ = writeAll(file.raw, entry(.error, "The activation script ended with \(exit)"))
        default: for (level, text) in event.logLines { _ = writeAll(file.raw, entry(level, text)) }
        }
    }

    func write(_ level: Level, _ text: String) {
        let line = entry(level, text)
        // Neither log may harm the work it tells of.
        if level != .debug || debug { _ = writeAll(STDERR_FILENO, line) }
        if let file { _ = writeAll(file.raw, line) }
    }

    private func entry(_ level: Level, _ text: String) -> String {
        "\(mark) \(level.mark) [\(name)] [\(level.rawValue)] \(text)\n"
    }

    private var mark: String {
        switch name {
        case "wait": "👀"
        case "revoke": "↩️"
        default: "⭐"
        }
    }
}
