import Dispatch
import Foundation
import Glibc
import Shared
import Synchronization
import TestSupport
import Testing

/// A program on a terminal of its own that a test looks at and types into while it runs.
final class WatchedTerminal: Sendable {
    private struct Piece {
        var columns: Int
        var bytes: [UInt8] = []
    }

    private let main: Int32
    private let process: LocalProcess
    private let pieces: Mutex<[Piece]>
    private let rows: Int
    private let isOver = DispatchSemaphore(value: 0)
    private let news: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    /// Starts it with the terminal as its input, output and controlling terminal.
    init(_ command: LocalCommand, columns: Int = 80, rows: Int = 24) throws {
        let (main, side) = try Terminal.openTerminal(columns: UInt16(columns), rows: UInt16(rows))
        self.main = main
        self.rows = rows
        pieces = Mutex([Piece(columns: columns)])
        (news, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        var command = command
        command.words = ["setsid", "--ctty", "--wait"] + command.words
        command.input = .descriptor(side)
        command.output = .descriptor(side)
        command.errorOutput = .descriptor(side)
        // No group of its own: then `setsid` need not fork, and its process is the program's.
        command.grouping = .ours
        process = try LocalProcess.start(command)
        close(side)
        DispatchQueue(label: "watched terminal").async { @Sendable [self] in
            watch()
            isOver.signal()
        }
    }

    /// All bytes so far, as text.
    var text: String { String(decoding: pieces.withLock { $0.flatMap(\.bytes) }, as: UTF8.self) }

    /// What a person sees, with what has scrolled away.
    var screen: Screen {
        let pieces = pieces.withLock { $0 }
        var screen = Screen(columns: pieces.first?.columns ?? 80, rows: rows)
        for piece in pieces {
            if piece.columns != screen.columns { screen.resize(columns: piece.columns) }
            screen.write(String(decoding: piece.bytes, as: UTF8.self))
        }
        return screen
    }

    /// Waits until this was written.
    func says(_ part: String) async throws {
        try await shows("\"\(part)\"") { self.text.contains(part) }
    }

    /// Waits until something holds; looks whenever more was written. One waits at a time.
    func shows(_ what: String, within limit: Duration = .seconds(300), _ isTrue: () -> Bool) async throws {
        let deadline = ContinuousClock.now + limit
        let alarm = DispatchWorkItem { @Sendable [continuation] in continuation.yield() }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit.seconds, execute: alarm)
        defer { alarm.cancel() }
        if isTrue() { return }
        for await _ in news {
            if isTrue() { return }
            try #require(ContinuousClock.now < deadline, "it did not show \(what): \(screen.text)")
        }
    }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(main, bytes, bytes.count)
    }

    func resize(columns: Int) {
        pieces.withLock { pieces in
            pieces.append(Piece(columns: columns))
            var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
            _ = ioctl(main, UInt(TIOCSWINSZ), &size)
        }
    }

    func signal(_ number: Int32) { process.signal(number) }

    /// Whether it shows what is typed and hands it on line by line, as a shell wants it.
    var isWhole: Bool {
        var settings = termios()
        let modes = tcflag_t(ECHO | ICANON | ISIG)
        return tcgetattr(main, &settings) == 0 && settings.c_lflag & modes == modes && !text.contains("\u{1b}[?")
    }

    /// Waits for its end, but not for ever; the terminal stays open.
    func exit(within limit: Duration = .seconds(300)) async -> Exit {
        let process = process
        let timer = DispatchWorkItem { @Sendable in process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit.seconds, execute: timer)
        defer { timer.cancel() }
        let exit = await process.exit()
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { @Sendable [self] in
                isOver.wait()
                continuation.resume()
            }
        }
        return exit
    }

    deinit { close(main) }

    private func watch() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(main, &buffer, buffer.count)
            // EIO: the last owner of the other side has ended.
            guard count > 0 else { return }
            pieces.withLock { pieces in pieces[pieces.count - 1].bytes += buffer[..<count] }
            continuation.yield()
        }
    }
}

extension Lab {
    /// Starts `deploy` on a terminal that a person watches, on the deployer's side, checks skipped.
    func watch(
        _ words: [String], environment: [String: String] = [:], columns: Int = 80, rows: Int = 24
    ) throws -> WatchedTerminal {
        var command = command(deployWords(["--skip-checks"] + Lab.withoutGuesses(words)))
        command.environment.merge(["TERM": "xterm", "NO_COLOR": "", "CI": ""]) { $1 }
        command.environment.merge(environment) { $1 }
        return try WatchedTerminal(command, columns: columns, rows: rows)
    }
}
