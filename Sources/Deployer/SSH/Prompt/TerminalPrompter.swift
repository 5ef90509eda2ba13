import Dispatch
import Shared
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Asks on the terminal that controls this process, wherever our input and output go.
struct TerminalPrompter: Prompter {
    /// One for the process, as there is one terminal.
    static let terminal = AsyncLock()

    var screen: Console?

    var terminal: AsyncLock { Self.terminal }

    /// What an open question has changed on the terminal.
    fileprivate struct Change {
        var raw: Int32
        var before: termios
    }

    fileprivate static let change = Mutex<Change?>(nil)

    private static let interruption = Mutex<@Sendable () -> Void>({ kill(getpid(), SIGINT) })

    /// Sets what a Ctrl-C at a question does, instead of a signal to this process. It has happened when the question ends,
    /// as no signal is sure to have.
    static func onInterrupt(_ interrupt: @escaping @Sendable () -> Void) { interruption.withLock { $0 = interrupt } }

    fileprivate static func interrupt() { interruption.withLock { $0 }() }

    /// Puts the terminal's settings back, for a program that ends while a question is open.
    static func restore() {
        change.withLock { change in
            guard var found = change else { return }
            tcsetattr(found.raw, TCSANOW, &found.before)
            change = nil
        }
    }

    var canAsk: Bool {
        let raw = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard raw >= 0 else { return false }
        close(raw)
        return true
    }

    func askNow(_ question: Question) async throws -> Secret? {
        let raw = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard raw >= 0 else { return nil }
        screen?.hold()
        defer { screen?.release() }
        let reading = TerminalReading(raw)
        return try await withTaskCancellationHandler {
            try await reading.answer(question)
        } onCancel: {
            reading.stop()
        }
    }
}

/// One question on an open terminal; its settings are put back however it ends.
private final class TerminalReading: Sendable {
    private let raw: Int32
    private let isStopped = Mutex(false)

    private enum Answer: Sendable {
        case line([UInt8])
        case interrupted
        case over
    }

    init(_ raw: Int32) { self.raw = raw }

    deinit { close(raw) }

    func stop() { isStopped.withLock { $0 = true } }

    func answer(_ question: Question) async throws -> Secret? {
        let answer = await withCheckedContinuation { continuation in
            DispatchQueue(label: "terminal").async { @Sendable [self] in
                continuation.resume(returning: ask(question))
            }
        }
        try Task.checkCancellation()
        switch answer {
        case .line(let bytes): return Secret(bytes)
        case .interrupted: throw CancellationError()
        case .over: return nil
        }
    }

    private func ask(_ question: Question) -> Answer {
        var before = termios()
        guard tcgetattr(raw, &before) == 0 else { return .over }
        var during = before
        during.c_lflag |= tcflag_t(ICANON | ECHONL)
        if question.isSecret { during.c_lflag &= ~tcflag_t(ECHO) }
        // Control-C comes as a byte, so that the settings are put back before it does what it always does.
        during.c_lflag &= ~tcflag_t(ISIG)
        withUnsafeMutableBytes(of: &during.c_cc) { $0[Int(VEOL)] = 3 }
        // First what was typed ahead is dropped, then the question is shown: an answer to it is never dropped.
        TerminalPrompter.change.withLock { change in
            change = .init(raw: raw, before: before)
            tcsetattr(raw, TCSAFLUSH, &during)
        }
        write(question.text)
        let answer = read()
        TerminalPrompter.change.withLock { change in
            tcsetattr(raw, TCSAFLUSH, &before)
            change = nil
        }
        if case .interrupted = answer {
            write("\n")
            TerminalPrompter.interrupt()
        }
        return answer
    }

    private func read() -> Answer {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1024)
        while !isStopped.withLock({ $0 }) {
            var descriptor = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            let ready = systemPoll(&descriptor, 1, 100)
            if ready < 0 && errno != EINTR { return .over }
            if ready <= 0 { continue }
            let count = systemRead(raw, &buffer, buffer.count)
            if count <= 0 { return .over }
            bytes += buffer[..<count]
            if bytes.contains(3) { return .interrupted }
            if bytes.last == UInt8(ascii: "\n") { return .line(bytes.dropLast()) }
        }
        return .over
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        // A terminal that takes no output takes no answer either, and that shows next.
        _ = systemWrite(raw, bytes, bytes.count)
    }
}

private let systemRead = read
private let systemWrite = write
