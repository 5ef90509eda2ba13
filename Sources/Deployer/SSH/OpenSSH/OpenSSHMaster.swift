import Shared
import Synchronization

/// A logged-in `ssh` of ours that carries commands until it is closed.
final class OpenSSHMaster: Sendable {
    let line: OpenSSHCommandLine
    let environment: [String: String]
    /// What `ssh` said against the host, and let it in all the same.
    let doubt: HostDoubt?
    private let process: LocalProcess
    private let state = Mutex(State())

    private struct State {
        var isOver = false
        var commands = 0
        var limit: Int?
        var nextLog = 0
    }

    init(
        _ process: LocalProcess, line: OpenSSHCommandLine, environment: [String: String], doubt: HostDoubt? = nil
    ) {
        self.process = process
        self.doubt = doubt
        self.line = line
        self.environment = environment
        // Ends with the process, which `deinit` ends at the latest.
        Task { [weak self] in
            _ = await process.exit()
            self?.isOver = true
            removeScratchFolder(line.folder)
        }
    }

    deinit { process.terminate() }

    private(set) var isOver: Bool {
        get { state.withLock { $0.isOver } }
        set { state.withLock { $0.isOver = newValue } }
    }

    /// How many commands the server allows at once; nil until it has refused one here.
    var limit: Int? { state.withLock { $0.limit } }

    /// Reserves a place for a command.
    ///
    /// - Parameter limit: how many the server allows at once on each connection, as far as is known
    /// - Returns: the path of its log; nil if the server is known to allow no further one
    func reserve(limit: Int) -> String? {
        state.withLock { state in
            if state.isOver || state.commands >= limit { return nil }
            state.commands += 1
            state.nextLog += 1
            return "\(line.folder)/\(state.nextLog).log"
        }
    }

    func release() { state.withLock { $0.commands -= 1 } }

    /// Learns from a refusal, and gives the place back.
    func wasRefused() {
        state.withLock { state in
            state.commands -= 1
            state.limit = max(1, state.commands)
        }
    }

    /// What `ssh` logged there; the file goes.
    func takeLog(_ path: String) -> OpenSSHFailure? {
        defer { removeFile(path) }
        return readFile(path).flatMap { OpenSSHFailure(log: String(decoding: $0, as: UTF8.self)) }
    }

    /// Asks the master whether it is still there.
    func answers() async -> Bool {
        if isOver { return false }
        let command = LocalCommand(line.check(), environment: environment)
        // That it could not be asked is an answer too.
        let result = try? await command.run(timeLimit: .seconds(5))
        return result?.exit.isSuccess == true && !isOver
    }

    /// The connection's end as an error, once it is over.
    func end(_ failure: OpenSSHFailure?) -> SSHError {
        let host = line.configuration.displayName
        if case .lost(let reason)? = failure { return .lost(host: host, reason: reason) }
        return .lost(host: host, reason: "ssh has ended")
    }

    func close() async {
        process.terminate()
        _ = await process.exit()
    }
}
