import Shared
import Synchronization

/// Hands a program's error output on line by line and keeps the last lines.
final class LineRelay: Sendable {
    /// Lines kept for an error.
    static let kept = 20

    private struct State {
        // A record is one line, whatever it tells: a cut one could not be read.
        var splitter: LineSplitter
        var log: NixLog?
        var last: [String] = []

        init(log: NixLog?) {
            self.log = log
            splitter = LineSplitter(limit: log == nil ? 1 << 16 : 1 << 22)
        }

        mutating func take(_ line: String) -> [NixLogLine] {
            let lines = log?.add(line) ?? [NixLogLine(.shown, line)]
            last = (last + lines.filter { $0.weight != .hidden }.map(\.text)).suffix(LineRelay.kept)
            return lines
        }
    }

    private let state: Mutex<State>
    private let onLine: @Sendable (NixLogLine) -> Void
    private let onCounts: @Sendable (BuildCounts) -> Void

    /// - Parameters:
    ///   - log: reads the lines as records of Nix; nil where they are lines for people
    ///   - onCounts: what the records count, whenever that has changed
    init(
        log: NixLog? = nil, _ onLine: @escaping @Sendable (NixLogLine) -> Void,
        onCounts: @escaping @Sendable (BuildCounts) -> Void = { _ in }
    ) {
        state = Mutex(State(log: log))
        self.onLine = onLine
        self.onCounts = onCounts
    }

    func add(_ bytes: [UInt8]) {
        let (lines, counts) = state.withLock { state in
            let before = state.log?.counts
            let lines = state.splitter.add(bytes).flatMap { state.take($0) }
            return (lines, state.log?.counts == before ? nil : state.log?.counts)
        }
        for line in lines { onLine(line) }
        if let counts { onCounts(counts) }
    }

    /// Hands on what was left without a line feed.
    ///
    /// - Returns: the last lines, oldest first
    func finish() -> [String] {
        let (rest, last) = state.withLock { state in
            let rest = state.splitter.finish().map { state.take($0) } ?? []
            return (rest, state.last)
        }
        for line in rest { onLine(line) }
        return last
    }
}
