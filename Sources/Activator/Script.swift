import Glibc
import Shared
import Synchronization

/// A closure's script, run in a process group of its own with its output handed over line by line.
struct Script: Sendable {
    struct Result: Sendable, Equatable {
        var exit: Exit
        var timedOut: Bool

        /// Why this counts as failed; nil if it does not.
        func failure(_ name: String, limit: Duration?) -> String? {
            if timedOut { return "\(name) did not end within \(limit?.components.seconds ?? 0) s and was ended" }
            return exit.isSuccess ? nil : "\(name) ended with \(exit)"
        }
    }

    /// What an activation script is told; deploy-rs's names.
    enum Mode: Sendable { case activate, dry, boot }

    /// How long a group may take to end itself once it was told to.
    static let grace = Duration.seconds(5)

    let command: LocalCommand
    /// None if nil.
    let limit: Duration?

    /// - Parameters:
    ///   - location: the profile's link, or the closure itself for a dry run; PROFILE and the working folder
    ///   - note: where a successor of ours finds it; nil for one that changes nothing
    init(
        _ words: [String], at location: String, _ mode: Mode, tempPath: String, limit: Duration?,
        _ environment: [String: String], note: RunningScript?
    ) {
        var environment = environment
        environment["PROFILE"] = location
        environment["DRY_ACTIVATE"] = mode == .dry ? "1" : "0"
        environment["BOOT"] = mode == .boot ? "1" : "0"
        let temporary = TemporaryFolder(tempPath)
        // A power loss may have taken it since the activation began.
        if mode != .dry { temporary.make() }
        if let folder = temporary.variable { environment["TMPDIR"] = folder }
        var command = LocalCommand(words, environment: environment)
        command.directory = location
        if let note { command.grouping = note.grouping }
        self.command = command
        self.limit = limit
    }

    /// Runs it to its end; whoever still holds its output then is not waited for.
    ///
    /// - Throws: ``LocalCommandError``, ``SystemError`` if it cannot be started
    func run(
        onLine: @escaping @Sendable (OutputStream, String) -> Void
    ) async throws -> Result {
        let lines = LineBox(onLine)
        let process = try LocalProcess.start(command) { @Sendable stream, bytes in lines.add(stream, bytes) }
        let isLate = Flag()
        let timer = limit.map { limit in
            BootTimer(after: limit) { @Sendable in
                isLate.set()
                process.terminate(grace: Script.grace)
            }
        }
        let exit = await process.exit()
        withExtendedLifetime(timer) {}
        lines.finish()
        if isLate.isSet { await endGroup(process.id) }
        return Result(exit: exit, timedOut: isLate.isSet)
    }

    /// Ends what is left of a group whose first process has ended. The kernel gives its number to nobody else while
    /// one of its members lives.
    private func endGroup(_ id: Int32) async {
        for _ in 0..<Int(Self.grace.seconds * 10) {
            if kill(-id, 0) != 0 { return }
            // Cancelling is not used here; sleeping cannot fail otherwise.
            try? await Task.sleep(for: .milliseconds(100))
        }
        kill(-id, SIGKILL)
    }
}

/// A truth that once set stays so.
final class Flag: Sendable {
    private let value = Mutex(false)

    var isSet: Bool { value.withLock { $0 } }

    func set() { value.withLock { $0 = true } }
}

/// Cuts a script's two outputs into lines.
private final class LineBox: Sendable {
    private struct Both {
        var output = LineSplitter(limit: 64 << 10)
        var errorOutput = LineSplitter(limit: 64 << 10)
    }

    private let both = Mutex(Both())
    private let onLine: @Sendable (OutputStream, String) -> Void

    init(_ onLine: @escaping @Sendable (OutputStream, String) -> Void) { self.onLine = onLine }

    func add(_ stream: LocalProcess.Stream, _ bytes: [UInt8]) {
        both.withLock { both in
            switch stream {
            case .output: for line in both.output.add(bytes) { onLine(.stdout, line) }
            case .errorOutput: for line in both.errorOutput.add(bytes) { onLine(.stderr, line) }
            }
        }
    }

    func finish() {
        both.withLock { both in
            if let line = both.output.finish() { onLine(.stdout, line) }
            if let line = both.errorOutput.finish() { onLine(.stderr, line) }
        }
    }
}
