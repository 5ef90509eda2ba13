import Glibc
import Shared

/// The guardian as its starter and its own main see it: `activate guardian begin|resume|finish LINK`, with the profile's
/// two locks and its watcher's claim as descriptors 3 to 5, events on standard output, complaints on standard error.
struct GuardianProcess: Sendable {
    static let subcommand = "guardian"
    static let logName = "guardian.log"
    /// Exclusion, liveness, claim.
    static let numbers: [Int32] = [3, 4, 5]

    /// Added to the verdict's exit code, so that no other end of a process can be taken for one.
    private static let firstVerdictCode: Int32 = 100
    /// There was nothing to carry.
    private static let noVerdict: Int32 = 20

    /// Ends as the guardian does.
    let process: LocalProcess
    let claim: GuardianClaim
    /// What it tells, from the beginning.
    let events: OwnedDescriptor

    /// - Returns: false where the descriptor is no file, as what our own runtime has open is not
    private static func keepToOurselves(_ number: Int32) -> Bool {
        var status = stat()
        return fstat(number, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            && fcntl(number, F_SETFD, FD_CLOEXEC) == 0
    }

    /// The guardian's own main.
    static func main(_ words: [String]) async -> Int32 {
        if words.first == OwnerLauncher.word { return await OwnerLauncher.main(Array(words.dropFirst())) }
        for number in [SIGHUP, SIGPIPE, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
        let shutdown = Shutdown.watch()
        defer { withExtendedLifetime(shutdown) {} }
        if words.first == GuardianWatcher.word { return await GuardianWatcher.main(Array(words.dropFirst())) }
        // The locks are ours: no script may keep them longer.
        for number in numbers where !keepToOurselves(number) { return notByHand() }
        guard (2...3).contains(words.count), let start = Guardian.Start(rawValue: words[0]) else { return notByHand() }
        let log = words.count > 2 ? LegacyLog("guardian", folder: words[2]) : nil
        do {
            var guardian = try Guardian(ProfileLink(path: words[1]), currentEnvironment(), events: EventLog(log: log)) {
                // Our watcher has the locks too: closing them would not let go.
                for number in numbers.prefix(2) where start != .finish { flock(number, LOCK_UN) }
                for number in numbers.prefix(2) { close(number) }
            }
            return firstVerdictCode + (await guardian.run(start)?.exitCode.rawValue ?? noVerdict)
        } catch {
            return complain("\(error)", .failed)
        }
    }

    static func notByHand() -> Int32 { complain("the guardian is started by \"activate\", not by hand", .usage) }

    /// The verdict that a guardian's exit status stands for; nil if it died before there was one.
    static func verdict(_ exit: Exit) -> Verdict? {
        guard case .code(let code) = exit else { return nil }
        return Verdict.allCases.first { firstVerdictCode + $0.exitCode.rawValue == code }
    }

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
