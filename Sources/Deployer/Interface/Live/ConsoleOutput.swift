import Dispatch
import Shared
import Synchronization

/// Writes lines in the order in which they come, from a queue of its own: nobody who tells something waits for a terminal that
/// has been stopped or a pipe that nobody reads.
///
/// On a terminal it keeps live lines below them.
final class ConsoleOutput: Sendable {
    /// Bytes that may wait to be written; whoever tells more then waits.
    private static let limit = 16 << 20
    private static let tick = DispatchTimeInterval.milliseconds(100)

    private let queue = DispatchQueue(label: "console")
    private let waiting = Mutex(0)
    private let page: Page

    /// - Parameters:
    ///   - descriptor: where lines go
    ///   - live: gives the lines that show how far the run is; nil where there shall be none
    init(descriptor: Int32, live: (@Sendable (ScreenSize) -> [String])?) {
        page = Page(descriptor, live)
        guard live != nil else { return }
        queue.async { @Sendable [page, queue] in page.start(on: queue, every: Self.tick) }
    }

    func write(_ line: String, to other: Int32? = nil) {
        let size = line.utf8.count + 1
        let isTooMuch = waiting.withLock { waiting in
            waiting += size
            return waiting > Self.limit
        }
        queue.async { @Sendable [self] in
            page.write(line, to: other)
            waiting.withLock { $0 -= size }
        }
        if isTooMuch { queue.sync { @Sendable in } }
    }

    /// Leaves the terminal to somebody who asks there: the live lines are gone and lines are held back until ``release()``.
    func hold() { queue.sync { @Sendable [page] in page.hold() } }

    func release() { queue.async { @Sendable [page] in page.release() } }

    /// Waits until everything is written, and takes the live lines away.
    func finish() { queue.sync { @Sendable [page] in page.finish() } }

    /// As ``finish()``, for a program that must end: where nobody reads, it waits no longer than this.
    func finish(within limit: DispatchTimeInterval) {
        let done = DispatchSemaphore(value: 0)
        queue.async { @Sendable [page] in
            page.finish()
            done.signal()
        }
        _ = done.wait(timeout: .now() + limit)
    }
}

// Confined to the queue of its owner, which makes it.
/// What has been written, and what is held back.
private final class Page: @unchecked Sendable {
    private let descriptor: Int32
    private let live: (@Sendable (ScreenSize) -> [String])?
    private let terminal: TerminalState
    private var screen = LiveScreen()
    private var holders = 0
    private var held: [(line: String, other: Int32?)] = []
    private var sources: [any DispatchSourceProtocol] = []
    private var isFinished = false

    init(_ descriptor: Int32, _ live: (@Sendable (ScreenSize) -> [String])?) {
        self.descriptor = descriptor
        self.live = live
        terminal = TerminalState(descriptor)
    }

    func start(on queue: DispatchQueue, every interval: DispatchTimeInterval) {
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now(), repeating: interval)
        timer.setEventHandler { @Sendable [weak self] in self?.draw() }
        // Whoever stopped us has written below our lines since.
        let resumed = DispatchSource.makeSignalSource(signal: TerminalState.resumed, queue: queue)
        resumed.setEventHandler { @Sendable [weak self] in self?.screen.forget() }
        sources = [timer, resumed]
        for source in sources { source.activate() }
    }

    func write(_ line: String, to other: Int32?) {
        if holders > 0 { return held.append((line, other)) }
        // Nobody is left to tell if it cannot be written.
        if live == nil {
            writeAll(other ?? descriptor, line + "\n")
        } else if let other {
            // The same terminal, maybe, through another descriptor.
            writeAll(descriptor, screen.erase(terminal.size))
            writeAll(other, line + "\n")
            draw()
        } else {
            put([line])
        }
    }

    /// Brings the live lines up to date; they also follow the terminal's size.
    private func draw() {
        if holders == 0 && !isFinished { put([]) }
    }

    private func put(_ text: [String]) {
        if isFinished || !terminal.isOurs {
            // Not where somebody else writes, or asks: only what must be told.
            screen.forget()
            for line in text { writeAll(descriptor, line + "\n") }
            return
        }
        let size = terminal.size
        let bytes = screen.update(text: text, live: live?(size) ?? [], size)
        if !bytes.isEmpty { writeAll(descriptor, bytes) }
    }

    func hold() {
        holders += 1
        let bytes = screen.erase(terminal.size)
        if !bytes.isEmpty { writeAll(descriptor, bytes) }
    }

    func release() {
        holders -= 1
        guard holders == 0 else { return }
        let lines = held
        held = []
        for (line, other) in lines { write(line, to: other) }
        draw()
    }

    func finish() {
        holders = 0
        let bytes = screen.erase(terminal.size)
        if !bytes.isEmpty { writeAll(descriptor, bytes) }
        isFinished = true
        let lines = held
        held = []
        for (line, other) in lines { write(line, to: other) }
        for source in sources { source.cancel() }
        sources = []
    }
}
