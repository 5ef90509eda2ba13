import CSystem
import Dispatch
import Shared
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// This machine as a node: commands run as they are, with no SSH in between.
///
/// A command gets a session of its own, so that a control-C in our terminal does not reach an activation.
struct LocalRemote: Remote {
    let environment: [String: String]
    private let isClosed = Flag()

    init(environment: [String: String]) { self.environment = environment }

    func start(_ words: [String], input: RemoteInput) async throws -> any RemoteProcess {
        try LocalRemoteProcess(command(words, .bytes(input.bytes)))
    }

    func bridge(
        _ words: [String], socket: @Sendable () async throws -> Int32, onBytes: @escaping @Sendable (Int) -> Void
    ) async throws -> RemoteResult {
        let descriptor = try await socket()
        let upload = try CountedUpload(from: descriptor, onBytes)
        defer { upload.stop() }
        // Through pipes on both sides, as under sshd: nix-daemon cannot splice from one socket to another.
        let process = try LocalRemoteProcess(command(words, .descriptor(upload.readEnd)))
        var errors: [UInt8] = []
        for try await piece in process.output {
            switch piece {
            case .stdout(let bytes): await pass(bytes, to: descriptor)
            case .stderr(let bytes): errors = (errors + bytes).suffix(64 << 10)
            }
        }
        let exit = try await process.exit()
        shim_shutdown_writing(descriptor)
        return RemoteResult(exit: exit, output: [], errorOutput: errors)
    }

    /// Writes to a socket on a thread that may block; what nobody reads any more is dropped.
    private func pass(_ bytes: [UInt8], to descriptor: Int32) async {
        await withCheckedContinuation { done in
            DispatchQueue.global().async { @Sendable in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                    if count > 0 {
                        rest = rest.dropFirst(count)
                    } else if errno == EAGAIN {
                        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                        _ = systemPoll(&poll, 1, 1000)
                    } else if errno != EINTR {
                        break
                    }
                }
                done.resume()
            }
        }
    }

    var doubt: HostDoubt? { nil }

    var isCompressed: Bool { true }

    var isOpen: Bool { !isClosed.value.withLock { $0 } }

    func close() async { isClosed.value.withLock { $0 = true } }

    private func command(_ words: [String], _ input: LocalCommand.Input) -> LocalCommand {
        var command = LocalCommand(words, environment: environment)
        command.input = input
        command.grouping = .ownSession
        return command
    }

    private final class Flag: Sendable {
        let value = Mutex(false)
    }
}

/// A command on this machine.
final class LocalRemoteProcess: RemoteProcess {
    private let process: LocalProcess
    private let queue: OutputQueue
    let output: AsyncThrowingStream<RemoteOutput, any Error>

    /// - Throws: ``SSHError``
    init(_ command: LocalCommand) throws {
        let queue = OutputQueue()
        self.queue = queue
        do {
            process = try LocalProcess.start(command) { @Sendable stream, bytes in
                queue.add(stream == .output ? .stdout(bytes) : .stderr(bytes))
            }
        } catch {
            throw SSHError.failed(host: "this machine", step: "starting a command", reason: "\(error)")
        }
        let process = process
        // Lives as long as the process, which nobody needs to wait for.
        Task {
            _ = await process.exit()
            queue.finish()
        }
        output = AsyncThrowingStream { try await queue.next() }
    }

    deinit { queue.drop() }

    func exit() async throws -> RemoteExit {
        try Task.checkCancellation()
        switch await process.exit() {
        case .code(let code): return .code(code)
        case .signal(let number): return .signal(signalName(number))
        }
    }
}

/// A signal's name without "SIG", as SSH names it; its number for one that has no name there.
private func signalName(_ number: Int32) -> String {
    let names: [Int32: String] = [
        SIGABRT: "ABRT", SIGALRM: "ALRM", SIGFPE: "FPE", SIGHUP: "HUP", SIGILL: "ILL", SIGINT: "INT", SIGKILL: "KILL",
        SIGPIPE: "PIPE", SIGQUIT: "QUIT", SIGSEGV: "SEGV", SIGTERM: "TERM", SIGUSR1: "USR1", SIGUSR2: "USR2",
    ]
    return names[number] ?? "\(number)"
}
