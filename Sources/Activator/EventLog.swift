import Glibc
import Shared
import Synchronization

/// The guardian's events: written to its standard output, which is the file `events` that relays read; and the last
/// lines of output, kept for the journal.
final class EventLog: Sendable {
    static let fileName = "events"
    /// Bytes of events; output beyond it is dropped, so that a script that writes for ever cannot fill the disk.
    static let limit = 16 << 20
    static let lastLineCount = 20
    /// Bytes.
    static let lastLineSize = 500

    private struct State {
        var size = 0
        var isFull = false
        /// The last line is only there in part.
        var isCut = false
        var lastLines: [String] = []
    }

    private let descriptor: Int32
    private let state = Mutex(State())

    /// For `--log-dir`: the guardian, unlike who relays it, outlives a lost connection.
    private let log: LegacyLog?

    /// - Parameter afterCut: whoever wrote there before may have died in the middle of a line
    init(_ descriptor: Int32 = STDOUT_FILENO, log: LegacyLog? = nil, afterCut: Bool = false) {
        self.descriptor = descriptor
        state.withLock { $0.isCut = afterCut }
        self.log = log
    }

    var lastLines: [String] { state.withLock { $0.lastLines } }

    func send(_ event: AgentEvent) {
        log?.note(event)
        state.withLock { state in
            if case .output(_, let line) = event {
                // By bytes: what is kept must fit into the journal's spare room.
                let kept = Record.bounded(line, Self.lastLineSize)
                state.lastLines = state.lastLines.suffix(Self.lastLineCount - 1) + [kept]
                if state.isFull { return }
                state.isFull = state.size > Self.limit
            }
            let told = state.isFull && event.isOutput ? AgentEvent.warning("further output is not shown") : event
            guard let line = try? JSONLine.encode(told) else { return }  // our own types: they always encode
            let bytes = Array(((state.isCut ? "\n" : "") + line + "\n").utf8)
            state.size += bytes.count
            // A full disk must not stop an activation; the verdict is read from the journal then. But a line that got
            // there only in part must not spoil the next.
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { state.isCut = count < bytes.count }
        }
    }
}

extension AgentEvent {
    fileprivate var isOutput: Bool {
        if case .output = self { true } else { false }
    }
}
