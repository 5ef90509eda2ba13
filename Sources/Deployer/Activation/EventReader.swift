import Shared

/// Reads an agent's events from what its command writes, whatever pieces that arrives in.
struct EventReader: Sendable {
    /// One line of an agent: an event, or something else that a person should see.
    enum Line: Sendable, Equatable {
        case event(AgentEvent)
        /// A line of its standard error, or one that is no event.
        case text(String)
    }

    private var events = LineSplitter()
    private var texts = LineSplitter()

    mutating func add(_ output: RemoteOutput) -> [Line] {
        switch output {
        case .stdout(let bytes): events.add(bytes).map(EventReader.line)
        case .stderr(let bytes): texts.add(bytes).map { .text($0) }
        }
    }

    /// What is left at the end.
    mutating func finish() -> [Line] {
        let rest = events.finish().map { EventReader.line($0) }
        let text = texts.finish().map { Line.text($0) }
        return [rest, text].compactMap { $0 }
    }

    private static func line(_ text: String) -> Line {
        // A line that is no event is a newer agent's, or a login script's: shown, not obeyed.
        (try? JSONLine.decode(AgentEvent.self, from: text)).map { .event($0) } ?? .text(text)
    }
}
