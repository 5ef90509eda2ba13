import Dispatch
import Shared

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a message weighs; the names are deploy-rs's.
enum Level: String, Sendable {
    case error, warn, info, debug
    /// What would help, printed after an error or a warning.
    case hint

    var color: String {
        switch self {
        case .error: "\u{1b}[31m"
        case .warn: "\u{1b}[33m"
        case .info: "\u{1b}[36m"
        case .debug: "\u{1b}[2m"
        case .hint: "\u{1b}[32m"
        }
    }
}

/// Everything that `deploy` tells a person: whole lines on standard error, and below them, on a terminal, live lines that show
/// how far the run is.
///
/// With a log folder, every line (debug lines too) also goes to `deploy.log` there, and what is about a node to
/// `<node>.log`.
final class Console: Sendable {
    private let showsDebug: Bool
    private let usesColor: Bool
    private let isLive: Bool
    private let logs: LogFiles?
    private let output: ConsoleOutput
    /// How far the run is.
    let progress = Progress()
    /// For `--json`; nil without.
    private let events: EventStream?

    /// - Parameters:
    ///   - usesColor: decide with ``terminalWantsColor(_:environment:)``
    ///   - isLive: whether there are live lines; decide with ``TerminalState/isLive(_:environment:)``
    ///   - logDirectory: made if missing; no log files if nil
    ///   - events: writes what happens to standard output as well; nil for not
    /// - Throws: ``SystemError`` where the folder cannot be made
    init(
        showsDebug: Bool, usesColor: Bool, logDirectory: String?, isLive: Bool = false, events: EventStream? = nil
    ) throws {
        self.showsDebug = showsDebug
        self.usesColor = usesColor
        self.isLive = isLive
        self.events = events
        logs = try logDirectory.map { try LogFiles(folder: $0) }
        let live: @Sendable (ScreenSize) -> [String] = { [progress] size in
            LiveLines(model: progress.model, now: progress.now, size: size).lines
        }
        output = ConsoleOutput(descriptor: STDERR_FILENO, live: isLive ? live : nil)
    }

    /// True for a terminal that can show color, unless `NO_COLOR` is set to anything or `TERM` is `dumb`.
    static func terminalWantsColor(_ descriptor: Int32, environment: [String: String]) -> Bool {
        isatty(descriptor) == 1 && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    /// Tells one message; each of its lines gets the prefix.
    func tell(_ level: Level, _ text: String, node: NodeName? = nil) {
        if level != .debug && level != .info { emit(events?.line(level, text, node, at: progress.now)) }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let subject = node?.text ?? "deploy"
            let plain = "\(subject): \(level.rawValue): \(printable(line))"
            logs?.add(plain, node: node)
            if level == .debug && !showsDebug { continue }
            let label = usesColor ? "\(level.color)\(level.rawValue)\u{1b}[0m" : level.rawValue
            write("\(subject): \(label): \(printable(line, withColor: usesColor))")
        }
    }

    /// Tells that something begins, where no live line shows it.
    func step(_ text: String, node: NodeName? = nil) {
        guard isLive else { return tell(.info, text, node: node) }
        logs?.add("\(node?.text ?? "deploy"): info: \(printable(text))", node: node)
    }

    /// Passes on one line that a program wrote, such as Nix or an activation.
    ///
    /// - Parameter weight: what is not for the terminal only goes to the log files; what is told as an error to neither
    func relay(_ line: String, from program: String, node: NodeName? = nil, weight: NixLogLine.Weight = .shown) {
        if weight == .failure { return }
        let source = "\(node?.text ?? "deploy"): \(program): "
        logs?.add(source + printable(line), node: node)
        if weight == .hidden || weight == .detail && isLive { return }
        write(source + printable(line, withColor: usesColor))
    }

    /// Tells an error with what would help.
    func tell(_ error: any Error, node: NodeName? = nil) {
        tell(.error, describe(error), node: node)
        if let hint = hint(for: error) { tell(.hint, hint, node: node) }
    }

    /// Prints lines as they are: tables and questions.
    func show(_ text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            logs?.add(String(line), node: nil)
            write(String(line))
        }
    }

    /// Prints a line of the result on standard output.
    func result(_ line: String) { output.write(line, to: STDOUT_FILENO) }

    /// Leaves the terminal to a question: nothing is written until ``release()``, which has to follow.
    func hold() { output.hold() }

    func release() { output.release() }

    /// Waits until everything is written; to be called once, before the program ends.
    func finish() {
        if let failure = logs?.failure { tell(.warn, "the files of --log-dir are not whole: \(failure)") }
        output.finish()
    }

    /// As ``finish()``, but where nobody reads, it does not wait for ever.
    func finish(within limit: DispatchTimeInterval) { output.finish(within: limit) }

    private func write(_ line: String) { output.write(line) }

    private func emit(_ line: String?) { if let line { result(line) } }
}

extension Console {
    /// Notes how far the run is.
    func report(_ event: ProgressEvent) {
        let time = progress.report(event)
        emit(events?.line(event, at: time, progress.model))
    }

    /// Writes one line of `--json`; nothing without it.
    func emit(_ line: EventLine) { emit(event(line)) }

    /// The text of one line of `--json`; nil without it.
    func event(_ line: EventLine) -> String? { events == nil ? nil : EventStream.text(line) }

    /// Does something that takes time, and notes when it began and ended.
    ///
    /// - Parameter text: told where no live line shows it
    func during<Result>(
        _ activity: Activity, _ text: String? = nil, _ work: () async throws -> Result
    ) async rethrows -> Result {
        if let text { step(text, node: activity.node) }
        report(.began(activity))
        defer { report(.ended(activity)) }
        return try await work()
    }
}

/// The text with control characters made visible, so that no node's output can drive the terminal.
///
/// Tabs stay. Color sequences (`ESC [ … m`) stay where they are wanted, since activations use them, and end with the line;
/// elsewhere they are left out.
func printable(_ line: some StringProtocol, withColor: Bool = false) -> String {
    var result = ""
    var isColored = false
    var rest = Substring(line).unicodeScalars
    while let scalar = rest.popFirst() {
        if scalar == "\u{1b}", let end = colorSequenceEnd(rest) {
            if withColor { result += "\u{1b}" + String(rest[..<end]) }
            isColored = withColor
            rest = rest[end...]
        } else if scalar == "\t" || !drivesTerminal(scalar) {
            result.unicodeScalars.append(scalar)
        } else if scalar != "\r" {
            result += "\\u{\(String(scalar.value, radix: 16))}"
        }
    }
    return isColored ? result + "\u{1b}[0m" : result
}

/// True for control characters, and for those that would show a line's characters in another order, or as several lines.
private func drivesTerminal(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case ..<0x20, 0x7f...0x9f, 0x2028...0x202e, 0x2066...0x2069: true
    default: false
    }
}

private func colorSequenceEnd(_ text: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView.Index? {
    guard text.first == "[" else { return nil }
    let parameters = text.dropFirst().prefix { ("0"..."9").contains($0) || $0 == ";" }
    guard parameters.endIndex < text.endIndex, text[parameters.endIndex] == "m" else { return nil }
    return text.index(after: parameters.endIndex)
}

/// One sentence for any error.
func describe(_ error: any Error) -> String { String(describing: error) }

func hint(for error: any Error) -> String? { (error as? any Explained)?.hint }
