/// Where the time of a run went.
struct Timings: Sendable {
    /// An activity from its begin to its end; all in durations since the run began.
    struct Bar: Sendable, Equatable {
        var activity: Activity
        var start: Duration
        var end: Duration
        /// Bytes that went to the node meanwhile.
        var bytes: Int

        var length: Duration { end - start }
        /// `copying`, or `system: activating`.
        var title: String {
            (activity.profile.map { "\($0.text): " } ?? "") + activity.phase.verb
        }
    }

    /// The bars of the run as a whole, or of one node, by their start.
    struct Row: Sendable {
        /// The node's name; `deploy` for the run as a whole.
        var name: String
        var bars: [Bar]

        /// How long it took all in all, waiting for others included.
        var length: Duration { (bars.map(\.end).max() ?? .zero) - (bars.map(\.start).min() ?? .zero) }

        /// How long one phase took. On a node each moment is that of what began last: a rollback's within a confirmation is the
        /// rollback's. What the run as a whole does is side by side, and counts in full.
        func time(of phase: Phase) -> Duration {
            bars.indices.filter { bars[$0].activity.phase == phase }.reduce(.zero) { sum, index in
                let bar = bars[index]
                let later = bar.activity.node == nil ? [] : bars[(index + 1)...]
                return sum + bar.length - Self.covered(of: bar, by: later)
            }
        }

        /// How long at least one of the others, which are by their start, lasts within a bar.
        private static func covered(of bar: Bar, by others: ArraySlice<Bar>) -> Duration {
            var sum = Duration.zero
            var end = bar.start
            for other in others {
                let (start, stop) = (max(other.start, end), min(other.end, bar.end))
                guard stop > start else { continue }
                sum += stop - start
                end = stop
            }
            return sum
        }

        /// How long nothing was done for it between its first and its last activity.
        var waiting: Duration {
            var idle = Duration.zero
            var end = bars.first?.end ?? .zero
            for bar in bars {
                if bar.start > end { idle += bar.start - end }
                end = max(end, bar.end)
            }
            return idle
        }
    }

    /// The run as a whole; it may have no bars.
    let general: Row
    /// In the plan's order; without those on which nothing was done.
    let nodes: [Row]
    /// How long the run took.
    let total: Duration

    /// - Parameter total: the time since the run began; what still lasts ends then
    init(_ model: ProgressModel, total: Duration) {
        self.total = total
        let spans = model.ended + model.open + model.nodes.flatMap(\.open)
        let bars = Dictionary(grouping: spans, by: \.activity.node).mapValues { spans in
            spans.map { span in
                Bar(activity: span.activity, start: span.start, end: span.end ?? total, bytes: span.bytes)
            }.sorted { ($0.start, $1.end) < ($1.start, $0.end) }
        }
        general = Row(name: "deploy", bars: bars[nil] ?? [])
        nodes = model.nodes.map { Row(name: $0.name.text, bars: bars[$0.name] ?? []) }.filter { !$0.bars.isEmpty }
    }

    /// All that have bars, the run as a whole first.
    var rows: [Row] { (general.bars.isEmpty ? [] : [general]) + nodes }
}
