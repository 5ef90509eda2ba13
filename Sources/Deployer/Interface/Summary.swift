import Shared

/// What is where now, as a table: one row a profile.
struct Summary: Sendable {
    let results: [ProfileResult]

    /// The rows, aligned; empty for no results.
    var text: String {
        let rows = [["NODE", "PROFILE", "VERDICT", "NOW ON"]] + results.map(row)
        let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return trimmedEnd(cells.joined(separator: "  "))
        }.joined(separator: "\n")
    }

    private func row(_ result: ProfileResult) -> [String] {
        [result.profile.node.text, result.profile.name.text, word(result.outcome), place(result.outcome)]
    }

    private func word(_ outcome: ProfileOutcome) -> String {
        switch outcome {
        case .notStarted: "not started"
        case .notPrepared: "not ready"
        case .unchanged: "unchanged"
        case .ended(let report, _): word(report.verdict)
        case .dryRun(let exit): exit.isSuccess ? "dry run" : "dry run failed"
        case .locked: "locked"
        case .notActivated: "failed"
        case .unknown: "unknown"
        case .notRevoked: "deployed, not taken back"
        case .revoked(let report): report.verdict == .rolledBack ? "taken back" : word(report.verdict)
        }
    }

    private func word(_ verdict: Verdict) -> String {
        switch verdict {
        case .committed: "deployed"
        case .rolledBack: "rolled back"
        case .failed: "failed"
        case .left: "left"
        case .stuck: "stuck"
        }
    }

    private func place(_ outcome: ProfileOutcome) -> String {
        switch outcome {
        case .ended(let report, _), .revoked(let report), .notRevoked(let report, _):
            report.generation.map { $0.number.map { "generation \($0)" } ?? $0.path } ?? "no generation"
        case .unknown: "?"
        case .unchanged(let generation): generation.number.map { "generation \($0)" } ?? generation.path
        case .notStarted, .notPrepared, .dryRun, .locked, .notActivated: "as before"
        }
    }

    private func trimmedEnd(_ line: String) -> String {
        var line = line[...]
        while line.last == " " { line = line.dropLast() }
        return String(line)
    }
}
