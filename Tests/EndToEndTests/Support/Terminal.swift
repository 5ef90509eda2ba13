import Dispatch
import Foundation
import Glibc
import Shared
import Synchronization
import Testing

/// A program on a terminal of its own, and a person there who answers its questions.
struct Terminal: Sendable {
    /// What the person waits for, and then types with a line feed; each once, in this order.
    typealias Answer = (question: String, answer: String)

    /// Everything that was to be seen on the terminal.
    let text: String
    let exit: Exit
    /// False where the program left it so that nothing typed can be seen.
    let echoes: Bool

    /// Runs a program that has the terminal as its input, output and controlling terminal, to its end.
    static func run(
        _ command: LocalCommand, answers: [Answer], timeLimit: Duration = .seconds(300)
    ) async throws -> Terminal {
        let (main, side) = try openTerminal()
        var command = command
        command.words = ["setsid", "--ctty", "--wait"] + command.words
        command.input = .descriptor(side)
        command.output = .descriptor(side)
        command.errorOutput = .descriptor(side)
        // No group of its own: then `setsid` need not fork, and its process is the program's.
        command.grouping = .ours
        let process = try LocalProcess.start(command)
        close(side)
        let person = Person(main, answers)
        let limit = DispatchWorkItem { @Sendable in process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + timeLimit.seconds, execute: limit)
        let text = await person.stay()
        let exit = await process.exit()
        limit.cancel()
        // Both ends show the same settings.
        var settings = termios()
        let echoes = tcgetattr(main, &settings) == 0 && settings.c_lflag & tcflag_t(ECHO) != 0
        close(main)
        return Terminal(text: text, exit: exit, echoes: echoes)
    }

    /// The person's end and the program's end.
    static func openTerminal(columns: UInt16 = 80, rows: UInt16 = 24) throws -> (main: Int32, side: Int32) {
        var main: Int32 = -1
        var side: Int32 = -1
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        try #require(openpty(&main, &side, nil, nil, &size) == 0, "there are no terminals here")
        // Whoever inherited an end would keep the terminal open.
        for descriptor in [main, side] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        return (main, side)
    }
}

/// Reads a terminal until nobody writes to it any more.
private final class Person: Sendable {
    private let main: Int32
    private let answers: [Terminal.Answer]

    init(_ main: Int32, _ answers: [Terminal.Answer]) {
        self.main = main
        self.answers = answers
    }

    func stay() async -> String {
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "person").async { @Sendable [self] in continuation.resume(returning: watch()) }
        }
    }

    private func watch() -> String {
        var seen: [UInt8] = []
        var waiting = answers[...]
        var start = 0
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(main, &buffer, buffer.count)
            // EIO: the last owner of the other side has ended.
            guard count > 0 else { return String(decoding: seen, as: UTF8.self) }
            seen += buffer[..<count]
            while let next = waiting.first, String(decoding: seen[start...], as: UTF8.self).contains(next.question) {
                start = seen.count
                waiting = waiting.dropFirst()
                let line = Array((next.answer + "\n").utf8)
                _ = write(main, line, line.count)
            }
        }
    }
}

extension Lab {
    /// Runs `deploy` on a terminal, on the deployer's side, checks skipped.
    func deployOnTerminal(
        _ words: [String], answers: [Terminal.Answer], environment: [String: String] = [:]
    ) async throws -> Terminal {
        var command = command(deployWords(["--skip-checks"] + Lab.withoutGuesses(words)))
        command.environment.merge(environment) { $1 }
        return try await Terminal.run(command, answers: answers)
    }
}
