/// Where the time went: a line for the run as a whole, and a table with a row for each node and a column for each phase.
struct TimingsTable: Sendable {
    let timings: Timings

    var text: String {
        var parts = phases(timings.general).map { "\($0.verb) \(preciseText(timings.general.time(of: $0)))" }
        parts.append("all in all \(preciseText(timings.total))")
        return (table + ["time: \(parts.joined(separator: ", "))"]).joined(separator: "\n")
    }

    private var table: [String] {
        if timings.nodes.isEmpty { return [] }
        let phases = Phase.allCases.filter { phase in timings.nodes.contains { self.phases($0).contains(phase) } }
        let sent = timings.nodes.contains { bytes($0) > 0 }
        let head = ["NODE"] + phases.map(\.heading) + ["WAIT", "TOTAL"] + (sent ? ["SENT"] : [])
        let rows = timings.nodes.map { row in
            [printable(row.name)] + phases.map { cell(row, $0) } + [short(row.waiting), preciseText(row.length)]
                + (sent ? [bytes(row) > 0 ? bytesText(bytes(row)) : "-"] : [])
        }
        return aligned([head] + rows)
    }

    /// Those that occurred, in the order of a run.
    private func phases(_ row: Timings.Row) -> [Phase] {
        let present = Set(row.bars.map(\.activity.phase))
        return Phase.allCases.filter(present.contains)
    }

    private func cell(_ row: Timings.Row, _ phase: Phase) -> String {
        row.bars.contains { $0.activity.phase == phase } ? preciseText(row.time(of: phase)) : "-"
    }

    private func short(_ duration: Duration) -> String { duration < .milliseconds(5) ? "-" : preciseText(duration) }

    private func bytes(_ row: Timings.Row) -> Int { row.bars.reduce(0) { $0 + $1.bytes } }

    /// Names to the left, figures to the right.
    private func aligned(_ rows: [[String]]) -> [String] {
        let widths = (rows.first ?? []).indices.map { column in rows.map { displayWidth($0[column]) }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                column == 0
                    ? padded(row[column], to: widths[column])
                    : String(repeating: " ", count: widths[column] - displayWidth(row[column])) + row[column]
            }.joined(separator: "  ")
        }
    }
}
