import Shared

/// The failed units of systemd, by its own tools.
struct FailedUnits: Sendable {
    private static let unitLimit = 20
    private static let lineCount = 10
    private static let timeLimit = Duration.seconds(10)

    let environment: [String: String]

    /// Their names; nil where systemd does not answer.
    func names() async -> Set<String>? {
        let words = ["systemctl", "list-units", "--state=failed", "--all", "--plain", "--no-legend", "--no-pager"]
        guard let text = await output(of: words) else { return nil }
        return Set(text.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) })
    }

    /// Those that are failed now, new ones first, each with its last journal lines.
    func now(before: Set<String>?) async -> [FailedUnit] {
        let names = await names() ?? []
        let sorted = names.sorted { (isOld($0, before) ? 1 : 0, $0) < (isOld($1, before) ? 1 : 0, $1) }
        var units: [FailedUnit] = []
        for name in sorted.prefix(Self.unitLimit) {
            units.append(FailedUnit(name: name, isNew: !isOld(name, before), lines: await journal(of: name)))
        }
        return units
    }

    private func isOld(_ name: String, _ before: Set<String>?) -> Bool { before?.contains(name) ?? false }

    private func journal(of unit: String) async -> [String] {
        let words = [
            "journalctl", "--unit=\(unit)", "--lines=\(Self.lineCount)", "--no-pager", "--output=short", "--quiet",
        ]
        return lastLines(Self.lineCount, of: await output(of: words) ?? "").map { String($0.prefix(500)) }
    }

    /// Nil where it cannot be asked: what is known without it decides.
    private func output(of words: [String]) async -> String? {
        var environment = environment
        environment["PATH"] = (environment["PATH"] ?? "") + ":/run/current-system/sw/bin:/usr/bin:/bin"
        let command = LocalCommand(words, environment: environment)
        guard let result = try? await command.run(outputLimit: 64 << 10, timeLimit: Self.timeLimit),
            result.exit.isSuccess, !result.timedOut
        else { return nil }
        return result.text
    }
}
