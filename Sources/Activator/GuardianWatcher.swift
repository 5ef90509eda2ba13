import Glibc
import Shared

/// `activate guardian watch begin|resume|finish LINK TOKEN`: starts the guardian and, if that dies before its verdict,
/// one that resumes its work, so that this needs nobody who is logged in.
///
/// It gets the profile's two locks, which its starter holds, as standard input and output: these are what `systemd-run`
/// can hand over, as well as `posix_spawn`.
struct GuardianWatcher {
    static let word = "watch"
    /// A guardian that dies again and again is not replaced for ever.
    static let replacements = 3

    /// What systemd tells a unit about itself, which is not for what an activation starts.
    private static let unitsOwn: Set = [
        "INVOCATION_ID", "JOURNAL_STREAM", "MANAGERPID", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
        "SYSTEMD_EXEC_PID",
    ]

    private let journal: Journal
    /// Of the record that it is about.
    private let id: String
    private let lock: ProfileLock
    private let pulse: OwnedDescriptor
    /// After the kind of start: what a guardian is told.
    private let arguments: [String]

    /// Ends as the guardian did.
    static func main(_ words: [String]) async -> Int32 {
        guard (3...4).contains(words.count), let start = Guardian.Start(rawValue: words[0]) else {
            return GuardianProcess.notByHand()
        }
        do {
            guard let folder = try StateFolder.find(beside: ProfileLink(path: words[1])),
                let lock = try ProfileLock.handedOver(in: folder)
            else { return GuardianProcess.notByHand() }
            let journal = Journal(folder: folder)
            guard let record = try journal.read() else { throw AgentError.noGeneration(link: words[1]) }
            let events = try folder.open(EventLog.fileName, O_WRONLY | O_APPEND)
            guard let pulse = try GuardianClaim.take(words[2], in: folder) else {
                return complain("whoever started this guardian has given it up", .failed)
            }
            try redirect(events)
            let watcher = GuardianWatcher(
                journal: journal, id: record.id, lock: lock, pulse: try .highCopy(of: pulse.raw),
                arguments: [words[1]] + words.dropFirst(3))
            return await watcher.run(start)
        } catch {
            return complain("\(error)", .failed)
        }
    }

    /// Lets go of the locks' first copies, and writes events from now on.
    private static func redirect(_ events: OwnedDescriptor) throws(SystemError) {
        let null = OwnedDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC))
        guard dup2(null.raw, STDIN_FILENO) >= 0, dup2(events.raw, STDOUT_FILENO) >= 0 else { throw SystemError("dup2") }
    }

    private func run(_ start: Guardian.Start) async -> Int32 {
        var start = start
        var replacements = 0
        while true {
            let problem: String
            do {
                let exit = try await guardian(start).exit()
                if case .code(let code) = exit { return code }
                problem = "\(exit)"
            } catch {
                problem = "\(error)"
                // No memory, no process number: perhaps soon.
                try? await Task.sleep(for: .seconds(1))  // cancelling is not used here
            }
            guard isUnfinished else {
                if start != .finish { clearUp() }
                return complain("the guardian died after its verdict: \(problem)", .failed)
            }
            guard replacements < Self.replacements else {
                return complain("\(Self.replacements + 1) guardians died one after the other: \(problem)", .failed)
            }
            replacements += 1
            start = start.afterDeath
            EventLog(afterCut: true)
                .send(.warning("the guardian died before its verdict (\(problem)): another one finishes its work"))
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
        guard lock.isKept, let link = arguments.first,
            let dead = try? Guardian(
                ProfileLink(path: link), currentEnvironment(), events: EventLog(afterCut: true), unlock: {}),
            dead.record.id == id, let verdict = dead.record.report?.verdict
        else { return }
        dead.clearUp(verdict)
    }

    private func guardian(_ start: Guardian.Start) throws -> LocalProcess {
        let words = [GuardianProcess.ownExecutable, GuardianProcess.subcommand, start.rawValue] + arguments
        var command = LocalCommand(words, environment: currentEnvironment().filter { !Self.unitsOwn.contains($0.key) })
        // What ends our group, or its, must not end both.
        command.grouping = .ownSession
        command.directory = "/"
        command.input = .null
        command.output = .inherited
        command.errorOutput = .inherited
        let files = [lock.exclusion.descriptor, lock.liveness.descriptor, pulse]
        command.descriptors = zip(files, GuardianProcess.numbers).map { (ours: $0.raw, theirs: $1) }
        return try LocalProcess.start(command)
    }
}
