import Shared
import Synchronization

/// Hands a program's error output on line by line and keeps the last lines.
final class LineRelay: Sendable {
    /// Lines kept for an error.
    static let kept = 20

    private struct State {
        var splitter = LineSplitter(limit: 1 << 16)
        var last: [String] = []
    }

    private let state = Mutex(State())
    private let onLine: @Sendable (String) -> Void

    init(_ onLine: @escaping @Sendable (String) -> Void) { self.onLine = onLine }

    func add(_ bytes: [UInt8]) {
        let lines = state.withLock { state in
            let lines = state.splitter.add(bytes)
            state.last = (state.last + lines).suffix(Self.kept)
            return lines
        }
        for line in lines { onLine(line) }
    }

    /// Hands on what was left without a line feed.
    ///
    /// - Returns: the last lines, oldest first
    func finish() -> [String] {
        let (rest, last) = state.withLock { state in
            let rest = state.splitter.finish()
            if let rest { state.last = (state.last + [rest]).suffix(Self.kept) }
            return (rest, state.last)
        }
        if let rest { onLine(rest) }
        return last
    }
}
