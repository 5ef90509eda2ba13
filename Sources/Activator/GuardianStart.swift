import Glibc
import Shared

/// Starts a guardian and its watcher out of reach of our login, and hands them a share in the profile's locks.
///
/// The starter holds these until the other side has them, so they are never free in between.
struct GuardianStart {
    let start: Guardian.Start
    let link: ProfileLink
    let folder: StateFolder
    let lock: ProfileLock
    /// Relative to our working folder, or absolute; no log file if nil.
    var logDirectory: String?

    /// systemd answers in milliseconds; one that does not is not waited for.
    private static let unitLimit = Duration.seconds(15)

    /// - Parameter warn: told why it does not run where it should
    /// - Throws: ``AgentError``, ``SystemError``, ``LocalCommandError``; then nothing has begun, and nothing will
    func run(warn: (String) -> Void) async throws -> GuardianProcess {
        // A new file, so that a relay which still reads the old one is not confused. What a guardian complained of that
        // died is kept for whoever wants to know why.
        folder.remove(EventLog.fileName)
        if start == .begin { folder.remove(GuardianProcess.logName) }
        _ = try folder.open(EventLog.fileName, O_WRONLY | O_CREAT | O_EXCL)
        // systemd's programs are beside Nix's where a login's PATH has neither.
        let environment = Nix(currentEnvironment()).environment
        let place = await GuardianPlace.choose(environment)
        // Another process's /proc/self/exe is not us.
        if place != .session, GuardianProcess.ownExecutable != "/proc/self/exe" {
            do {
                return try await launch(place, environment)
            } catch {
                warn(
                    "the guardian could not be made a unit of systemd (\(error)): it runs in a session of its own, and "
                        + "ends with the login where logind kills users' processes")
            }
        }
        return try await launch(.session, environment)
    }

    private func launch(_ place: GuardianPlace, _ environment: [String: String]) async throws -> GuardianProcess {
        let claim = try GuardianClaim(in: folder)
        let watch = ChangeWatch(folder)
        let events = try folder.open(EventLog.fileName, O_RDONLY)
        let complaints = try folder.open(GuardianProcess.logName, O_WRONLY | O_CREAT | O_APPEND)
        let news = try folder.open(GuardianProcess.logName, O_RDONLY)
        lseek(news.raw, 0, SEEK_END)
        var words = [GuardianProcess.ownExecutable, GuardianProcess.subcommand, GuardianWatcher.word]
        words += [start.rawValue, link.path, claim.token]
        if let logDirectory { words.append(try absolute(logDirectory)) }
        var command = place.command(words, profile: link.name, token: claim.token, environment)
        command.grouping = .ownSession
        command.directory = "/"
        command.input = .descriptor(lock.exclusion.descriptor.raw)
        command.output = .descriptor(lock.liveness.descriptor.raw)
        command.errorOutput = .descriptor(complaints.raw)
        let process = try withExtendedLifetime((complaints, lock)) { try LocalProcess.start(command) }
        guard await isTaken(claim, by: process, watch, limit: place == .session ? nil : Self.unitLimit) else {
            process.terminate()
            // What cannot be read explains nothing.
            let bytes = (try? news.read(limit: 64 << 10, GuardianProcess.logName)) ?? []
            throw AgentError.guardianNotStarted(lastLines(3, of: String(decoding: bytes, as: UTF8.self)))
        }
        return GuardianProcess(process: process, claim: claim, events: events)
    }

    /// False if the guardian has not begun, and never will.
    private func isTaken(
        _ claim: GuardianClaim, by process: LocalProcess, _ watch: ChangeWatch, limit: Duration?
    ) async -> Bool {
        let isOver = Flag()
        // Ends with the process, which is waited for by whoever follows the guardian.
        Task { [process, watch] in
            _ = await process.exit()
            isOver.set()
            watch.poke()
        }
        let timer = limit.map {
            BootTimer(after: $0) { @Sendable in
                isOver.set()
                watch.poke()
            }
        }
        defer { withExtendedLifetime(timer) {} }
        for await _ in watch.wakes {
            let isLast = isOver.isSet
            if claim.isTaken { return true }
            if isLast { break }
        }
        return !claim.withdraw()
    }

    private func absolute(_ path: String) throws(SystemError) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = getcwd(nil, 0) else { throw SystemError("getcwd") }
        defer { free(folder) }
        return "\(String(cString: folder))/\(path)"
    }
}
