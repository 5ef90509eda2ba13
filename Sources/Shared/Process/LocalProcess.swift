import CSystem
import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A running local program; it is reaped whatever happens, and its group can be ended.
///
/// A program has ended when its process has: what is then readable is read, and the pipes are closed even if a
/// descendant still holds their other end.
public final class LocalProcess: Sendable {
    public enum Stream: Sendable { case output, errorOutput }

    /// Those that have not ended, for ``endAll(grace:)``.
    private static let running = Mutex<[ObjectIdentifier: LocalProcess]>([:])

    public let id: pid_t
    private let ownsGroup: Bool
    private let state = Mutex(State())

    private struct State {
        var isReaped = false
        var exit: Exit?
        var waiters: [CheckedContinuation<Exit, Never>] = []
    }

    private init(id: pid_t, ownsGroup: Bool) {
        self.id = id
        self.ownsGroup = ownsGroup
    }

    /// Starts a program.
    ///
    /// - Parameter onOutput: called on one serial queue with each piece of output as it is read, bytes unchanged; the
    ///   last call happens before ``exit()`` returns. Blocking in it holds the program back.
    /// - Throws: ``LocalCommandError``, ``SystemError`` (no descriptors left)
    public static func start(
        _ command: LocalCommand,
        onOutput: @escaping @Sendable (Stream, [UInt8]) -> Void = { _, _ in }
    ) throws -> LocalProcess {
        let name = command.words.first ?? ""
        guard let program = locateProgram(name, path: command.environment["PATH"]) else {
            throw LocalCommandError.notFound(program: name)
        }
        var spawn = try SpawnPlan(command)
        let id = try spawn.spawn(program)
        let process = LocalProcess(id: id, ownsGroup: command.grouping.isOwn)
        running.withLock { $0[ObjectIdentifier(process)] = process }
        process.follow(spawn.takePipes(), input: command.input, onOutput)
        return process
    }

    /// Ends every program that still runs, and waits for that: TERM to each group, then KILL after the grace time.
    public static func endAll(grace: Duration = .seconds(2)) async {
        let all = running.withLock { $0.values.map(\.self) }
        for process in all { process.terminate(grace: grace) }
        for process in all { _ = await process.exit() }
    }

    /// Waits until the program has ended and its output has been read; cancelling does not stop it.
    public func exit() async -> Exit {
        await withCheckedContinuation { continuation in
            let exit = state.withLock { state -> Exit? in
                if state.exit == nil { state.waiters.append(continuation) }
                return state.exit
            }
            if let exit { continuation.resume(returning: exit) }
        }
    }

    /// Sends a signal to the program's group (to the program alone if it shares ours); nothing once it was reaped.
    public func signal(_ number: Int32) {
        state.withLock { state in
            if !state.isReaped { kill(ownsGroup ? -id : id, number) }
        }
    }

    /// Ends the program's group: TERM, then KILL after the grace time.
    public func terminate(grace: Duration = .seconds(2)) {
        signal(SIGTERM)
        DispatchQueue.global().asyncAfter(deadline: .now() + grace.seconds) { @Sendable [self] in signal(SIGKILL) }
    }

    private func follow(
        _ pipes: SpawnPlan.Pipes,
        input: LocalCommand.Input,
        _ onOutput: @escaping @Sendable (Stream, [UInt8]) -> Void
    ) {
        let queue = DispatchQueue(label: "process.\(id)")
        let readers = [(pipes.output, Stream.output), (pipes.errorOutput, .errorOutput)].compactMap { raw, stream in
            raw.map { raw in PipeReader(raw, queue: queue) { onOutput(stream, $0) } }
        }
        let writer = pipes.input.map { PipeWriter($0, queue: queue, bytes: input.bytes) }
        // A thread of its own for the wait: Linux's Dispatch has no source for the end of a process.
        DispatchQueue(label: "wait.\(id)").async { @Sendable [self] in
            let exit = reap()
            queue.async { @Sendable [self] in
                for reader in readers { reader.finish() }
                writer?.finish()
                finish(exit)
            }
        }
    }

    private func reap() -> Exit {
        var info = siginfo_t()
        // Wait without reaping, so that no signal of ours can reach a reused process id.
        while waitid(P_PID, id_t(id), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        return state.withLock { state in
            var status: Int32 = 0
            while waitpid(id, &status, 0) < 0 && errno == EINTR {}
            state.isReaped = true
            return Exit(waitStatus: status)
        }
    }

    private func finish(_ exit: Exit) {
        LocalProcess.running.withLock { $0[ObjectIdentifier(self)] = nil }
        let waiters = state.withLock { state in
            state.exit = exit
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: exit) }
    }
}

extension LocalCommand.Grouping {
    fileprivate var isOwn: Bool {
        if case .ours = self { false } else { true }
    }
}

extension LocalCommand.Input {
    fileprivate var bytes: [UInt8] {
        if case .bytes(let bytes) = self { bytes } else { [] }
    }
}

extension Duration {
    /// This time in seconds, for C and Dispatch interfaces.
    public var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
