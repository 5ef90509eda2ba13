/// What a line of a Nix program, read from its records, is for.
struct NixLogLine: Sendable, Equatable {
    enum Weight: Sendable {
        /// Nix says it wherever it writes to.
        case shown
        /// Nix says it too, but not beside a progress bar: ``BuildCounts`` tells the same.
        case detail
        /// Only for the log files: Nix says it in none but the verbose modes.
        case hidden
        /// What went wrong: told with what failed for it, and only there.
        case failure
    }

    var weight: Weight
    var text: String

    init(_ weight: Weight, _ text: String) {
        self.weight = weight
        self.text = text
    }
}

/// Reads the records of one Nix program: gives back the lines that Nix would have written, and counts what it does.
struct NixLog: Sendable {
    private(set) var counts = BuildCounts()

    /// Whether the lines of builders are shown as they come, as with `--print-build-logs`.
    private let showsBuilderLines: Bool
    /// Nix's level up to which activities are told: 3 (info) unless its arguments say otherwise.
    private let verbosity: Int
    private var activities: [Int: NixActivity] = [:]
    private var builds: [Int: Build] = [:]
    /// Builds that have stopped, newest last: Nix 2.34 tells the error of one after that.
    private var ended: [Build] = []
    private var buildCounts: [Int: BuildCounts.Count] = [:]
    private var copyCounts: [Int: BuildCounts.Count] = [:]
    private var bytes: [Int: Int] = [:]
    private var expectedBytes: [Int: Int] = [:]

    /// Lines of a builder that are kept for the error, as many as Nix shows.
    private static let kept = 25
    private static let keptBuilds = 50

    private struct Build: Sendable {
        var derivation: String
        var phase: String?
        var lastLines: [String] = []

        var name: String { storePathName(derivation) }
    }

    /// - Parameter words: the program's whole command line: its options decide what is shown
    init(words: [String]) {
        // `-I` has its value in the same word.
        let letters = words.filter { $0.hasPrefix("-") && !$0.hasPrefix("-I") && $0.dropFirst().allSatisfy(\.isLetter) }
            .joined()
        let printsLogs = words.contains("--print-build-logs") || letters.contains("L")
        let isQuiet = words.contains("--no-build-output") || letters.contains("Q")
        // nix-build and nix-store show what builders say unless told not to; nix does if told to.
        showsBuilderLines = words.first == "nix" ? printsLogs : !isQuiet
        let louder = letters.count { $0 == "v" } + words.count { $0 == "--verbose" }
        verbosity = 3 + (words.contains("--debug") ? 4 : louder) - words.count { $0 == "--quiet" }
    }

    /// Takes one line of the program's error output.
    ///
    /// - Returns: the lines that it stands for, without colors; most records stand for none
    mutating func add(_ line: String) -> [NixLogLine] {
        switch NixLogRecord(line: line) {
        case .text(let text): return [NixLogLine(.shown, text)]
        case .message(let level, let text):
            let lines = plainLines(text)
            // Traces have the level of errors.
            let isFailure = level == 0 && lines.first?.hasPrefix("error") == true
            let weighed = lines.map { NixLogLine(isFailure ? .failure : weight(level), $0) }
            return isFailure ? weighed + builderLines(missingFrom: text) : weighed
        case .start(let id, let activity): return start(id, activity)
        case .stop(let id):
            activities[id] = nil
            if let build = builds.removeValue(forKey: id) { ended = (ended + [build]).suffix(Self.keptBuilds) }
            count()
            return []
        case .result(let id, let result): return take(result, of: id)
        }
    }

    // MARK: Records

    private mutating func start(_ id: Int, _ activity: NixActivity) -> [NixLogLine] {
        activities[id] = activity
        if activity.kind == NixActivity.build, let derivation = activity.fields.first?.text {
            builds[id] = Build(derivation: derivation)
            count()
        }
        let isTold = activity.level <= verbosity && !activity.text.isEmpty && activity.kind != NixActivity.buildWaiting
        return isTold ? plainLines(activity.text + "...").map { NixLogLine(weight(activity.level), $0) } : []
    }

    private mutating func take(_ result: NixActivityResult, of id: Int) -> [NixLogLine] {
        let kind = activities[id]?.kind
        switch result.kind {
        case NixActivityResult.buildLogLine, NixActivityResult.postBuildLogLine:
            return builderLine(result.fields.first?.text ?? "", of: id)
        case NixActivityResult.setPhase: builds[id]?.phase = result.fields.first?.text
        case NixActivityResult.progress where kind == NixActivity.builds:
            buildCounts[id, default: .init()].take(result.numbers)
        case NixActivityResult.progress where kind == NixActivity.copyPaths:
            copyCounts[id, default: .init()].take(result.numbers)
        case NixActivityResult.progress where kind == NixActivity.fileTransfer: bytes[id] = result.numbers.first
        case NixActivityResult.setExpected where result.numbers.first == NixActivity.fileTransfer:
            expectedBytes[id] = result.numbers.last
        default: return []
        }
        count()
        return []
    }

    private mutating func count() {
        var counts = BuildCounts()
        counts.builds = buildCounts.values.reduce(.init(), +)
        counts.copies = copyCounts.values.reduce(.init(), +)
        counts.bytes = bytes.values.reduce(0, +)
        counts.expectedBytes = max(counts.bytes, expectedBytes.values.reduce(0, +))
        // Until 2.34 builds stop only when all have ended: only the count tells whether one runs.
        if counts.builds.running > 0, let build = builds.max(by: { $0.key < $1.key })?.value {
            counts.current = printable(build.phase.map { "\(build.name) (\($0))" } ?? build.name)
        }
        self.counts = counts
    }

    // MARK: Lines

    private func weight(_ level: Int) -> NixLogLine.Weight { level == 3 && verbosity <= 3 ? .detail : .shown }

    private mutating func builderLine(_ text: String, of id: Int) -> [NixLogLine] {
        let name = builds[id]?.name ?? "build"
        builds[id]?.lastLines.append(text)
        if let count = builds[id]?.lastLines.count, count > Self.kept { builds[id]?.lastLines.removeFirst() }
        return [NixLogLine(showsBuilderLines ? .shown : .hidden, printable("\(name)> \(text)"))]
    }

    /// The end of what a failed builder said: Nix leaves it out of its error when its log goes to a program.
    private mutating func builderLines(missingFrom error: String) -> [NixLogLine] {
        guard !error.contains("log lines:"),
            let build = takeFailed({ error.contains($0.derivation) && !$0.lastLines.isEmpty })
        else { return [] }
        let lines = build.lastLines.map { "> " + printable($0) }
        let texts = ["last \(lines.count) log lines:"] + lines + ["for full logs, run: nix log \(build.derivation)"]
        return texts.map { NixLogLine(.failure, "       \($0)") }
    }

    /// The build that matches; told once.
    private mutating func takeFailed(_ matches: (Build) -> Bool) -> Build? {
        if let index = ended.lastIndex(where: matches) { return ended.remove(at: index) }
        guard let (id, build) = builds.first(where: { matches($0.value) }) else { return nil }
        builds[id]?.lastLines = []
        return build
    }

    private func plainLines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { printable($0) }
    }
}

/// The name in a store path: `hello-2.12` of `/nix/store/<hash>-hello-2.12.drv`.
func storePathName(_ path: String) -> String {
    let file = path.split(separator: "/").last ?? ""
    let name = file.split(separator: "-", maxSplits: 1).last ?? file
    return String(name.hasSuffix(".drv") ? name.dropLast(4) : name)
}
