import Glibc
import Shared

/// The guardian as its starter and its own main see it: `activate guardian begin|resume LINK`, with the profile's two
/// locks as descriptors 3 and 4, events on standard output, complaints on standard error.
struct GuardianProcess: Sendable {
    static let subcommand = "guardian"
    static let logName = "guardian.log"
    private static let exclusionNumber: Int32 = 3
    private static let livenessNumber: Int32 = 4

    /// Added to the verdict's exit code, so that no other end of a process can be taken for one.
    private static let firstVerdictCode: Int32 = 100
    /// There was nothing to carry.
    private static let noVerdict: Int32 = 20

    let process: LocalProcess
    /// What it tells, from the beginning.
    let events: OwnedDescriptor

    /// Starts a guardian in a session of its own, out of reach of ours.
    ///
    /// - Parameter logDirectory: relative to our working folder, or absolute; no log file if nil
    static func start(
        _ start: Guardian.Start, _ link: ProfileLink, in folder: StateFolder, holding lock: ProfileLock,
        logDirectory: String? = nil
    ) throws -> GuardianProcess {
        // A new file, so that a relay which still reads the old one is not confused. What a guardian complained of that
        // died is kept for whoever wants to know why.
        folder.remove(EventLog.fileName)
        if start == .begin { folder.remove(logName) }
        let output = try folder.open(EventLog.fileName, O_WRONLY | O_CREAT | O_EXCL | O_APPEND)
        let complaints = try folder.open(logName, O_WRONLY | O_CREAT | O_APPEND)
        let events = try folder.open(EventLog.fileName, O_RDONLY)
        var command = LocalCommand([ownExecutable, subcommand, start.rawValue, link.path])
        if let logDirectory { command.words.append(try absolute(logDirectory)) }
        command.grouping = .ownSession
        command.directory = "/"
        command.input = .null
        command.output = .descriptor(output.raw)
        command.errorOutput = .descriptor(complaints.raw)
        command.descriptors = try spawnable(lock)
        let process = try withExtendedLifetime((output, complaints, lock)) { try LocalProcess.start(command) }
        for descriptor in command.descriptors { close(descriptor.ours) }
        return GuardianProcess(process: process, events: events)
    }

    /// - Returns: false where the descriptor is no file, as what our own runtime has open is not
    private static func keepToOurselves(_ number: Int32) -> Bool {
        var status = stat()
        return fstat(number, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            && fcntl(number, F_SETFD, FD_CLOEXEC) == 0
    }

    /// The guardian's own main.
    static func main(_ words: [String]) async -> Int32 {
        if words.first == ScriptLauncher.word { return ScriptLauncher.main(Array(words.dropFirst())) }
        for number in [SIGHUP, SIGPIPE, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
        // The locks are ours: no script may keep them longer.
        for number in [exclusionNumber, livenessNumber] where !keepToOurselves(number) {
            return complain("the guardian is started by \"activate\", not by hand", .usage)
        }
        guard (2...3).contains(words.count), let start = Guardian.Start(rawValue: words[0]) else {
            return complain("the guardian is started by \"activate\", not by hand", .usage)
        }
        let log = words.count > 2 ? LegacyLog("guardian", folder: words[2]) : nil
        do {
            var guardian = try Guardian(ProfileLink(path: words[1]), currentEnvironment(), events: EventLog(log: log)) {
                for number in [exclusionNumber, livenessNumber] { close(number) }
            }
            return firstVerdictCode + (await guardian.run(start)?.exitCode.rawValue ?? noVerdict)
        } catch {
            return complain("\(error)", .failed)
        }
    }

    /// The verdict that a guardian's exit status stands for; nil if it died before there was one.
    static func verdict(_ exit: Exit) -> Verdict? {
        guard case .code(let code) = exit else { return nil }
        return Verdict.allCases.first { firstVerdictCode + $0.exitCode.rawValue == code }
    }

    /// Copies of the locks' descriptors above the numbers that they get, so that none overwrites the other.
    private static func spawnable(_ lock: ProfileLock) throws(SystemError) -> [(ours: Int32, theirs: Int32)] {
        var result: [(ours: Int32, theirs: Int32)] = []
        for (file, number) in [(lock.exclusion, exclusionNumber), (lock.liveness, livenessNumber)] {
            let copy = fcntl(file.descriptor.raw, F_DUPFD_CLOEXEC, 10)
            guard copy >= 0 else { throw SystemError("fcntl") }
            result.append((copy, number))
        }
        return result
    }

    private static func absolute(_ path: String) throws(SystemError) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = getcwd(nil, 0) else { throw SystemError("getcwd") }
        defer { free(folder) }
        return "\(String(cString: folder))/\(path)"
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
