import Shared
import Synchronization

/// Turns what happens into the lines of `--json`.
final class EventStream: Sendable {
    /// Lines about the same activity's progress are at least this far apart.
    private static let interval = Duration.seconds(1)

    private let told = Mutex<[Activity: Duration]>([:])

    /// The line of an event; nil for one that would come too soon after another of its kind.
    func line(_ event: ProgressEvent, at time: Duration, _ model: @autoclosure () -> ProgressModel) -> String? {
        switch event {
        case .counted(_, let activity): if isTooSoon(activity, time) { return nil }
        case .sent(_, let node): if isTooSoon(Activity(.copy, node: node), time) { return nil }
        default: break
        }
        return EventLine(event, at: time, model()).flatMap(Self.text)
    }

    /// The line of something that was told.
    func line(_ level: Level, _ text: String, _ node: NodeName?, at time: Duration) -> String? {
        var line = EventLine(.message, at: time)
        line.node = node?.text
        line.level = level.rawValue
        line.text = text
        return Self.text(line)
    }

    /// Strings and finite numbers can always be encoded.
    static func text(_ line: EventLine) -> String? { try? JSONLine.encode(line) }

    private func isTooSoon(_ activity: Activity, _ time: Duration) -> Bool {
        told.withLock { told in
            if let last = told[activity], time - last < Self.interval { return true }
            told[activity] = time
            return false
        }
    }
}
