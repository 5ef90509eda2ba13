import Shared
import Synchronization

/// A command that runs over a master, as a local `ssh` process.
final class OpenSSHProcess: RemoteProcess {
    private let owner: RunOwner
    let output: AsyncThrowingStream<RemoteOutput, any Error>

    /// - Throws: ``SSHError`` if the connection is already over
    init(_ run: OpenSSHRun) async throws {
        let place = try await run.remote.reserve()
        let owner = RunOwner(run, place)
        self.owner = owner
        output = AsyncThrowingStream {
            if let piece = try await owner.run.queue.next() { return piece }
            _ = try await owner.task.value
            return nil
        }
    }

    func exit() async throws -> RemoteExit {
        try Task.checkCancellation()
        return try await owner.task.value
    }
}

/// Ends the local process when nobody can read from it any more.
private final class RunOwner: Sendable {
    let run: OpenSSHRun
    /// Ends with the local process, which ``deinit`` ends at the latest.
    let task: Task<RemoteExit, any Error>

    init(_ run: OpenSSHRun, _ place: (OpenSSHMaster, String)) {
        self.run = run
        task = Task { try await run.carryOut(place) }
    }

    deinit {
        run.queue.drop()
        run.stop()
    }
}

/// One command, which is run again elsewhere if the server refused it a session.
final class OpenSSHRun: Sendable {
    let remote: OpenSSHRemote
    let queue = OutputQueue()
    private let request: Request
    private let state = Mutex(State())

    private struct State {
        var process: LocalProcess?
        var isStopped = false
    }

    /// A command, quoted for the login shell, and where its input and output come from and go.
    struct Request {
        var command: String
        var input: LocalCommand.Input
        var output = LocalCommand.Output.read
        /// The input holds a secret, which a host in doubt does not get.
        var holdsSecret = false
    }

    init(_ remote: OpenSSHRemote, _ request: Request) {
        self.remote = remote
        self.request = request
    }

    func stop() {
        let process = state.withLock { state in
            state.isStopped = true
            return state.process
        }
        process?.terminate()
    }

    func carryOut(_ place: (OpenSSHMaster, String)) async throws -> RemoteExit {
        defer { queue.finish() }
        var (master, log) = place
        for _ in 1...8 {
            let exit: Exit
            do {
                exit = try await runOnce(master, log)
            } catch {
                master.release()
                throw error
            }
            let failure = master.takeLog(log)
            if exit == .code(255), failure == .sessionRefused {
                master.wasRefused()
                (master, log) = try await remote.reserve()
                continue
            }
            master.release()
            return try await judge(exit, failure, master)
        }
        throw OpenSSHFailure.sessionRefused.error(master.line.configuration, limit: .zero)
    }

    private func runOnce(_ master: OpenSSHMaster, _ log: String) async throws -> Exit {
        if request.holdsSecret, let doubt = master.doubt { throw doubt.error }
        var local = LocalCommand(master.line.command(request.command, log: log), environment: master.environment)
        local.input = request.input
        local.output = request.output
        let process = try LocalProcess.start(local) { @Sendable [queue] stream, bytes in
            queue.add(stream == .output ? .stdout(bytes) : .stderr(bytes))
        }
        let isStopped = state.withLock { state in
            state.process = process
            return state.isStopped
        }
        if isStopped { process.terminate() }
        return await process.exit()
    }

    /// Status 255 is the command's own unless `ssh` logged a failure or its master has ended.
    private func judge(_ exit: Exit, _ failure: OpenSSHFailure?, _ master: OpenSSHMaster) async throws -> RemoteExit {
        switch exit {
        case .code(255):
            if failure == nil, await master.answers() { return .code(255) }
            throw master.end(failure)
        case .code(let code): return .code(code)
        case .signal: throw master.end(.lost("the local ssh was ended by \(exit)"))
        }
    }
}
