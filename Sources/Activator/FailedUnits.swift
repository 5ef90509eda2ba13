import Shared

/// The failed units of systemd, by its own tools.
struct FailedUnits: Sendable {
    /// How many are looked at.
    static let unitLimit = 20
    static let timeLimit = Duration.seconds(10)
    private static let lineCount = 10

    let systemd: Systemd

    /// Their names; nil where systemd does not answer.
    func names() async -> Set<String>? {
        let words = ["list-units", "--state=failed", "--all", "--plain", "--no-legend", "--no-pager"]
        guard let text = await output(of: "systemctl", words) else { return nil }
        return Set(text.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) })
    }

    /// Those that are failed now, new ones first, each with its last journal lines.
    func now(before: Set<String>?) async -> [FailedUnit] {
        let names = await names() ?? []
        // What they said last may still be on its way; only root may ask for it, others read what is there.
        if !names.isEmpty { _ = await output(of: "journalctl", ["--sync"]) }
        let sorted = names.sorted { (isOld($0, before) ? 1 : 0, $0) < (isOld($1, before) ? 1 : 0, $1) }
        var units: [FailedUnit] = []
        for name in sorted.prefix(Self.unitLimit) {
            units.append(FailedUnit(name: name, isNew: !isOld(name, before), lines: await journal(of: name)))
        }
        return units
    }

    private func isOld(_ name: String, _ before: Set<String>?) -> Bool { before?.contains(name) ?? false }

    private func journal(of unit: String) async -> [String] {
        let words = ["--unit=\(unit)", "--lines=\(Self.lineCount)", "--no-pager", "--output=short", "--quiet"]
        return lastLines(Self.lineCount, of: await output(of: "journalctl", words) ?? "").map { String($0.prefix(500)) }
    }

    /// Nil where it cannot be asked: what is known without it decides.
    private func output(of program: String, _ words: [String]) async -> String? {
        let result = await systemd.run(words, of: program, limit: Self.timeLimit)
        return result.flatMap { $0.exit.isSuccess ? $0.text : nil }
    }
}
