import CSystem
import Glibc
import Shared

/// `activate guardian watch begin|resume|finish LINK TOKEN`: makes the guardian and, if that dies before its verdict,
/// one that resumes its work, so that this needs nobody who is logged in.
///
/// It gets the profile's two locks, which its starter holds, as standard input and output: these are what `systemd-run`
/// can hand over, as well as `posix_spawn`. It has one thread alone, so that its guardians need not start as programs:
/// they are made by `fork`, with all that it holds.
struct GuardianWatcher {
    static let word = "watch"
    /// A guardian that dies again and again is not replaced for ever.
    static let replacements = 3

    /// What systemd tells a unit about itself, which is not for what an activation starts.
    private static let unitsOwn = [
        "INVOCATION_ID", "JOURNAL_STREAM", "MANAGERPID", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
        "SYSTEMD_EXEC_PID",
    ]

    /// Which of the two a process is once this returns.
    enum Outcome {
        /// The watcher, whose guardian has ended: its exit code.
        case ended(Int32)
        case isGuardian(GuardianTask)
    }

    private let journal: Journal
    /// Of the record that it is about.
    private let id: String
    private let lock: ProfileLock
    private let pulse: OwnedDescriptor
    private let link: String
    private let logDirectory: String?
    /// Those that we wait for.
    private let signals: sigset_t

    /// Ends as the guardian did.
    static func main(_ words: [String]) -> Outcome {
        guard (3...4).contains(words.count), let start = Guardian.Start(rawValue: words[0]) else {
            return .ended(GuardianProcess.notByHand())
        }
        for number in [SIGHUP, SIGPIPE, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
        let signals = block()
        for name in unitsOwn { unsetenv(name) }
        do {
            guard let folder = try StateFolder.find(beside: ProfileLink(path: words[1])),
                let lock = try ProfileLock.handedOver(in: folder)
            else { return .ended(GuardianProcess.notByHand()) }
            let journal = Journal(folder: folder)
            guard let record = try journal.read() else { throw AgentError.noGeneration(link: words[1]) }
            let events = try folder.open(EventLog.fileName, O_WRONLY | O_APPEND)
            guard let pulse = try GuardianClaim.take(words[2], in: folder) else {
                return .ended(complain("whoever started this guardian has given it up", .failed))
            }
            try redirect(events)
            let watcher = GuardianWatcher(
                journal: journal, id: record.id, lock: lock, pulse: pulse, link: words[1],
                logDirectory: words.count > 3 ? words[3] : nil, signals: signals)
            return watcher.run(start)
        } catch {
            return .ended(complain("\(error)", .failed))
        }
    }

    /// Lets go of the locks' first copies, and writes events from now on.
    private static func redirect(_ events: OwnedDescriptor) throws(SystemError) {
        let null = OwnedDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC))
        guard dup2(null.raw, STDIN_FILENO) >= 0, dup2(events.raw, STDOUT_FILENO) >= 0 else { throw SystemError("dup2") }
    }

    private static func block() -> sigset_t {
        // One that is ignored tells nobody.
        for number in [SIGCHLD, SIGTERM] { signal(number, SIG_DFL) }
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGCHLD, SIGTERM] { sigaddset(&signals, number) }
        sigprocmask(SIG_BLOCK, &signals, nil)
        return signals
    }

    private func run(_ start: Guardian.Start) -> Outcome {
        var start = start
        var replacements = 0
        while true {
            let guardian = shim_fork()
            if guardian == 0 { return .isGuardian(task(start)) }
            let problem: String
            if guardian > 0 {
                let exit = end(of: guardian)
                if case .code(let code) = exit { return .ended(code) }
                problem = "\(exit)"
            } else {
                problem = "\(SystemError("fork"))"
                // No memory, no process number: perhaps soon.
                sleep(1)
            }
            guard isUnfinished else {
                if start != .finish { clearUp() }
                return .ended(complain("the guardian died after its verdict: \(problem)", .failed))
            }
            guard replacements < Self.replacements else {
                let count = Self.replacements + 1
                return .ended(complain("\(count) guardians died one after the other: \(problem)", .failed))
            }
            replacements += 1
            start = start.afterDeath
            EventLog(afterCut: true)
                .send(.warning("the guardian died before its verdict (\(problem)): another one finishes its work"))
        }
    }

    /// For the new process: what it is by now.
    ///
    /// Its first thread must take no lock once it has others: Swift's locks know a thread by its number, and what this one
    /// has noted as its own is the watcher's.
    private func task(_ start: Guardian.Start) -> GuardianTask {
        // What ends our group must not end both.
        setsid()
        // For `ps`: two of the same name would be taken for two watchers.
        if let word = CommandLine.unsafeArgv[2] { strcpy(word, GuardianTask.word) }
        // Until it has its own answer to that: it would die of it.
        signal(SIGTERM, SIG_IGN)
        var signals = signals
        sigprocmask(SIG_UNBLOCK, &signals, nil)
        return GuardianTask(start: start, link: link, lock: lock, pulse: pulse, logDirectory: logDirectory)
    }

    /// Waits for it; gives way itself where the machine ends.
    private func end(of guardian: pid_t) -> Exit {
        while true {
            var status: Int32 = 0
            if waitpid(guardian, &status, WNOHANG) == guardian { return Exit(waitStatus: status) }
            var signals = signals
            if sigwaitinfo(&signals, nil) == SIGTERM { Shutdown.giveWay() }
        }
    }

    /// False once there is a verdict: whoever heard of it may be at work on the profile already, some of them holding the
    /// lock that we were lent.
    private var isUnfinished: Bool {
        guard lock.isKept, let record = try? journal.read() else { return false }
        return record.id == id && !record.isFinished
    }

    /// Does what a guardian had no time for after its verdict. Not for one that shares the lock with a caller: that may be
    /// at its next activation.
    private func clearUp() {
        guard lock.isKept,
            let dead = try? Guardian(
                ProfileLink(path: link), currentEnvironment(), events: EventLog(afterCut: true), unlock: {}),
            dead.record.id == id, let verdict = dead.record.report?.verdict
        else { return }
        dead.clearUp(verdict)
    }
}
