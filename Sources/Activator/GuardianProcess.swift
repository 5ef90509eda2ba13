import Glibc
import Shared

/// The guardian as its starter sees it.
struct GuardianProcess: Sendable {
    static let subcommand = "guardian"
    static let logName = "guardian.log"

    /// Ends as the guardian does.
    let process: LocalProcess
    let claim: GuardianClaim
    /// What it tells, from the beginning.
    let events: OwnedDescriptor

    static func notByHand() -> Int32 { complain("the guardian is started by \"activate\", not by hand", .usage) }

    /// Our file's name rather than `/proc/self/exe`, so that `ps` names us; the latter if the file is gone.
    static var ownExecutable: String {
        guard let path = linkTarget("/proc/self/exe"), isRunnable(path) else { return "/proc/self/exe" }
        return path
    }
}

/// Says what went wrong on standard error.
func complain(_ text: String, _ code: ExitCode) -> Int32 {
    let bytes = Array("activate: error: \(text)\n".utf8)
    _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }  // nobody else to tell
    return code.rawValue
}
