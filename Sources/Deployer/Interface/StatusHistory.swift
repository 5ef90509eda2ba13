import Shared

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// One deploy of a profile as `deploy status --history` tells it.
struct StatusHistory: Sendable {
    let entry: HistoryEntry

    /// What and who first, the activation's last lines below.
    var lines: [String] {
        [printable("  \(sentence)")] + entry.lastLines.map { printable("    | \($0)") }
    }

    private var sentence: String {
        let time = Date(timeIntervalSince1970: TimeInterval(entry.startedAt)).formatted(.iso8601)
        var text = "\(time) \(entry.report.verdict.rawValue), by \(entry.deployer)"
        if let client = entry.client { text += " from \(client)" }
        text += ": \(name(entry.previous)) -> \(name(entry.generation, orPath: entry.closure))"
        if let end = entry.endedAt { text += ", took \(max(0, end - entry.startedAt)) s" }
        for reason in [entry.report.reason, entry.report.rollbackFailure].compactMap({ $0 }) { text += ": \(reason)" }
        return text
    }

    private func name(_ generation: Generation?, orPath path: String? = nil) -> String {
        let path = generation?.path ?? path ?? "nothing"
        return (generation?.number).map { "\($0) (\(path))" } ?? path
    }
}
