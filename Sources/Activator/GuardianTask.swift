import Glibc
import Shared

/// What a process has to do that its watcher has made for it: `activate guardian carry …` in `ps`, with the watcher's own
/// words behind that. Events go to standard output, complaints to standard error.
struct GuardianTask: Sendable {
    /// In the place of ``GuardianWatcher/word``, and as long.
    static let word = "carry"

    /// Added to the verdict's exit code, so that no other end of a process can be taken for one.
    private static let firstVerdictCode: Int32 = 100
    /// There was nothing to carry.
    private static let noVerdict: Int32 = 20

    let start: Guardian.Start
    let link: String
    let lock: ProfileLock
    /// Its watcher's claim, kept for as long as this process lives.
    let pulse: OwnedDescriptor
    let logDirectory: String?

    /// - Returns: the exit code
    func run() async -> Int32 {
        let shutdown = Shutdown.watch()
        defer { withExtendedLifetime((shutdown, pulse)) {} }
        let log = logDirectory.map { LegacyLog("guardian", folder: $0) }
        do {
            var guardian = try Guardian(ProfileLink(path: link), currentEnvironment(), events: EventLog(log: log)) {
                // Our watcher has the locks too: closing them would not let go.
                if start == .finish { lock.handOver() } else { lock.end() }
            }
            return Self.firstVerdictCode + (await guardian.run(start)?.exitCode.rawValue ?? Self.noVerdict)
        } catch {
            return complain("\(error)", .failed)
        }
    }

    /// The verdict that a guardian's exit status stands for; nil if it died before there was one.
    static func verdict(_ exit: Exit) -> Verdict? {
        guard case .code(let code) = exit else { return nil }
        return Verdict.allCases.first { firstVerdictCode + $0.exitCode.rawValue == code }
    }
}
