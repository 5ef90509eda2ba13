import Shared
import Synchronization

/// Hands a program's error output on line by line, and keeps what an error about it needs.
final class LineRelay: Sendable {
    /// Lines kept where nothing tells which of them say what went wrong.
    static let kept = 20
    /// Lines kept of those that do, from either end.
    static let keptFailures = 500

    private struct State {
        // A record is one line, whatever it tells: a cut one could not be read.
        var splitter: LineSplitter
        var log: NixLog?
        var last: [String] = []
        var failures: [String] = []

        init(log: NixLog?) {
            self.log = log
            splitter = LineSplitter(limit: log == nil ? 1 << 16 : 1 << 22)
        }

        mutating func take(_ line: String) -> [NixLogLine] {
            let lines = log?.add(line) ?? [plain(line)]
            last = (last + lines.filter { $0.weight != .hidden }.map(\.text)).suffix(LineRelay.kept)
            let (count, new) = (LineRelay.keptFailures, lines.filter { $0.weight == .failure }.map(\.text))
            if !new.isEmpty { failures = failures.prefix(count) + (failures.dropFirst(count) + new).suffix(count) }
            return lines
        }

        /// Where no record tells what a line is, Nix's error is its last word.
        private func plain(_ line: String) -> NixLogLine {
            NixLogLine(failures.isEmpty && !line.hasPrefix("error:") ? .shown : .failure, line)
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

    /// Hands on what was left without a line feed, and after a success what looked like a failure.
    ///
    /// - Returns: what went wrong, or else the last lines, oldest first
    func finish(hasFailed: Bool) -> [String] {
        let (rest, last, failures) = state.withLock { state in
            let rest = state.splitter.finish().map { state.take($0) } ?? []
            return (rest, state.last, state.failures)
        }
        for line in rest { onLine(line) }
        if !hasFailed { for line in failures { onLine(NixLogLine(.shown, line)) } }
        return failures.isEmpty ? last : failures
    }
}
