/// A terminal's size in characters.
struct ScreenSize: Sendable, Equatable {
    var columns: Int
    var rows: Int
}

/// The lines that show how far a run is, at one moment, on a terminal of one size.
///
/// Run-wide activities come first, then a line for each node that is worked on, in the plan's order. Where they do not all fit,
/// those are shown that need most attention, and the last line counts the others.
struct LiveLines: Sendable {
    let model: ProgressModel
    /// Since the run began.
    let now: Duration
    let size: ScreenSize

    /// Each at least one column shorter than the terminal is wide, without control characters; empty if nothing lasts.
    var lines: [String] {
        let width = size.columns - 1
        guard width >= 10, size.rows >= 3 else { return [] }
        let room = max(1, size.rows - 2)
        let general = model.open.map { Row(subject: "deploy", text: text($0)) }
        let working = model.nodes.filter { !$0.open.isEmpty || $0.isTouched && !$0.isDone && !$0.hasFailed }
        if general.isEmpty && working.isEmpty { return [] }
        let needsCount =
            model.nodes.count > 1 && (working.count < model.nodes.count || general.count + working.count > room)
        let places = max(0, room - general.count - (needsCount ? 1 : 0))
        let shown = working.count > places ? mostUrgent(working, places) : working
        var rows = general + shown.map { Row(subject: printable($0.name.text), text: text($0)) }
        if needsCount { rows.append(Row(subject: "deploy", text: count(besides: shown, of: working))) }
        return laidOut(Array(rows.suffix(room)), width)
    }

    private struct Row {
        var subject: String
        var text: String
    }

    private func laidOut(_ rows: [Row], _ width: Int) -> [String] {
        let widest = rows.map { displayWidth($0.subject) }.max() ?? 0
        let column = min(widest, max(6, width / 3))
        return rows.map { row in
            let subject = padded(fitted(row.subject, to: column), to: column)
            return fitted("\(subject)  \(row.text)".replacing("\t", with: " "), to: width)
        }
    }

    // MARK: The run as a whole

    private func text(_ span: ProgressModel.Span) -> String {
        let counts = model.counts[span.activity].map(parts) ?? []
        // No seconds: a private input may make ssh ask for something, and a line that stays as it is leaves that alone.
        if span.activity.phase == .evaluation { return ([span.activity.phase.verb] + counts).joined(separator: ", ") }
        return ([span.activity.phase.verb] + counts + [elapsed(span)]).joined(separator: ", ")
    }

    private func parts(_ counts: BuildCounts) -> [String] {
        var parts: [String] = []
        if counts.nodes.expected > 1 { parts.append("\(counts.nodes.done) of \(counts.nodes.expected) nodes") }
        if counts.builds.expected > 0 { parts.append("\(counts.builds.done) of \(counts.builds.expected) built") }
        if counts.builds.failed > 0 { parts.append("\(counts.builds.failed) failed") }
        if counts.builds.running > 0 { parts.append("\(counts.builds.running) running") }
        if counts.copies.expected > 0 { parts.append("\(counts.copies.done) of \(counts.copies.expected) fetched") }
        if counts.bytes > 0 {
            let expected = counts.expectedBytes > counts.bytes ? " of \(bytesText(counts.expectedBytes))" : ""
            parts.append(bytesText(counts.bytes) + expected)
        }
        if let current = counts.current { parts.append(current) }
        return parts
    }

    // MARK: Nodes

    private func text(_ node: ProgressModel.Node) -> String {
        // What began last says most: a rollback within an activation, a copy beside other work.
        guard let span = node.open.last else {
            return node.settled.isEmpty ? waiting : "\(node.settled.count) of \(node.profiles.count) profiles done"
        }
        let profile = span.activity.profile.map { "\(printable($0.text)): " } ?? ""
        let details =
            switch span.activity.phase {
            case .copy: copied(node, span)
            case .confirmation, .probe: [remaining(node, span)].compactMap { $0 }
            case .remoteBuild: model.counts[span.activity].map(parts) ?? []
            default: [String]()
            }
        return profile + ([span.activity.phase.verb] + details + [elapsed(span)]).joined(separator: ", ")
    }

    private var waiting: String {
        switch model.open.last?.activity.phase {
        case .build: "ready, waiting for the build"
        case .checks: "ready, waiting for the checks"
        default: "ready, waiting for other nodes"
        }
    }

    private func copied(_ node: ProgressModel.Node, _ span: ProgressModel.Span) -> [String] {
        guard node.sent.total > 0 else { return [] }
        let rate = node.sent.rate(at: now).map { "\(bytesText(Int($0)))/s" }
        return [bytesText(node.sent.total), rate].compactMap { $0 }
    }

    private func remaining(_ node: ProgressModel.Node, _ span: ProgressModel.Span) -> String? {
        guard let profile = span.activity.profile, let deadline = model.profile(node.name, profile)?.deadline else {
            return nil
        }
        return deadline > now ? "the node rolls back in \(durationText(deadline - now))" : "past its time"
    }

    private func elapsed(_ span: ProgressModel.Span) -> String { durationText(now - span.start) }

    // MARK: More nodes than lines

    /// Those that the run waits for or that may be in trouble, in the plan's order.
    private func mostUrgent(_ nodes: [ProgressModel.Node], _ count: Int) -> [ProgressModel.Node] {
        let ranked = nodes.enumerated().sorted { ($0.element.urgency, $0.offset) < ($1.element.urgency, $1.offset) }
        return ranked.prefix(count).sorted { $0.offset < $1.offset }.map(\.element)
    }

    private func count(besides shown: [ProgressModel.Node], of working: [ProgressModel.Node]) -> String {
        let failed = model.nodes.count { $0.hasFailed }
        let done = model.nodes.count { $0.isDone && !$0.hasFailed }
        var parts = ["\(done) of \(model.nodes.count) nodes done"]
        if failed > 0 { parts.append("\(failed) could not be made ready") }
        let names = Set(shown.map(\.name))
        let hidden = working.filter { !names.contains($0.name) }
        if !hidden.isEmpty {
            let states = hidden.map { $0.open.last?.activity.phase.verb ?? "ready" }
            let kinds = Dictionary(grouping: states) { $0 }.sorted {
                ($1.value.count, $0.key) < ($0.value.count, $1.key)
            }
            parts += kinds.map { "\($0.value.count) more \($0.key)" }
        }
        let waiting = model.nodes.count { !$0.isTouched && !$0.hasFailed }
        if waiting > 0 { parts.append("\(waiting) waiting") }
        return parts.joined(separator: ", ")
    }
}

extension ProgressModel.Node {
    /// The lower, the sooner it is shown.
    fileprivate var urgency: Int {
        switch open.last?.activity.phase {
        case .rollback, .revocation, .verification: 0
        case .confirmation, .probe: 1
        case .activation, .healthCheck: 2
        case .copy, .remoteBuild: 3
        case .preflight, .agent: 4
        default: 5
        }
    }
}
