import Shared

/// What is where now, as a table: one row a profile.
struct Summary: Sendable {
    let results: [ProfileResult]
    /// Where each profile came from, and how long it took.
    let progress: ProgressModel

    /// The rows, aligned; empty for no results.
    var text: String {
        let rows = [["NODE", "PROFILE", "GENERATION", "VERDICT", "TIME", ""]] + results.map(row)
        let widths = (0..<6).map { column in rows.map { displayWidth($0[column]) }.max() ?? 0 }
        return rows.map { row in
            trimmedEnd(zip(row, widths).map { padded($0, to: $1) }.joined(separator: "  "))
        }.joined(separator: "\n")
    }

    private func row(_ result: ProfileResult) -> [String] {
        let known = progress.profile(result.profile.node, result.profile.name)
        let reason = result.rollback?.reason.map { printable($0.prefix { $0 != "\n" }) }
        return [
            printable(result.profile.node.text), printable(result.profile.name.text), move(result.outcome, known),
            word(result), known?.time.map(preciseText) ?? "-", reason ?? "",
        ]
    }

    private func word(_ result: ProfileResult) -> String {
        if result.isHeld { return "locked" }
        guard let finding = result.rollback else { return word(result.outcome) }
        return "\(word(result.outcome)), \(finding == .verified ? "verified" : "not verified")"
    }

    /// `1 -> 2`; one name alone where it is as before, or where it is not known what was before.
    private func move(_ outcome: ProfileOutcome, _ known: ProgressModel.Profile?) -> String {
        let now = place(outcome)
        guard let known, known.hasStarted else { return now }
        let before = known.previous.map(name) ?? "none"
        return before == now || now == "as before" ? before : "\(before) -> \(now)"
    }

    private func name(_ generation: Generation) -> String { generation.number.map { "\($0)" } ?? generation.path }

    private func word(_ outcome: ProfileOutcome) -> String {
        switch outcome {
        case .notStarted: "not started"
        case .notPrepared: "not ready"
        case .unchanged: "unchanged"
        case .ended(let report, _): word(report.verdict) + (report.needsReboot == true ? ", needs a reboot" : "")
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
            report.generation.map(name) ?? "none"
        case .unknown: "?"
        case .unchanged(let generation): name(generation)
        case .notStarted, .notPrepared, .dryRun, .locked, .notActivated: "as before"
        }
    }

    private func trimmedEnd(_ line: String) -> String {
        var line = line[...]
        while line.last == " " { line = line.dropLast() }
        return String(line)
    }
}
