import Shared
import Synchronization

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

/// Everything that `deploy` tells a person: whole lines on standard error, each in one write.
///
/// With a log folder, every line (debug lines too) also goes to `deploy.log` there, and what is about a node to
/// `<node>.log`.
final class Console: Sendable {
    private let showsDebug: Bool
    private let usesColor: Bool
    private let logs: LogFiles?

    /// - Parameters:
    ///   - usesColor: decide with ``terminalWantsColor(_:environment:)``
    ///   - logDirectory: made if missing; no log files if nil
    /// - Throws: ``SystemError`` where the folder cannot be made
    init(showsDebug: Bool, usesColor: Bool, logDirectory: String?) throws {
        self.showsDebug = showsDebug
        self.usesColor = usesColor
        logs = try logDirectory.map { try LogFiles(folder: $0) }
    }

    /// True for a terminal that can show color, unless `NO_COLOR` is set to anything or `TERM` is `dumb`.
    static func terminalWantsColor(_ descriptor: Int32, environment: [String: String]) -> Bool {
        isatty(descriptor) == 1 && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    /// Tells one message; each of its lines gets the prefix.
    func tell(_ level: Level, _ text: String, node: NodeName? = nil) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let subject = node?.text ?? "deploy"
            let plain = "\(subject): \(level.rawValue): \(printable(line))"
            logs?.add(plain, node: node)
            if level == .debug && !showsDebug { continue }
            let label = usesColor ? "\(level.color)\(level.rawValue)\u{1b}[0m" : level.rawValue
            write("\(subject): \(label): \(printable(line, withColor: usesColor))")
        }
    }

    /// Passes on one line that a program wrote, such as Nix or an activation.
    func relay(_ line: String, from program: String, node: NodeName? = nil) {
        let source = "\(node?.text ?? "deploy"): \(program): "
        logs?.add(source + printable(line), node: node)
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

    private func write(_ line: String) {
        // Nobody is left to tell if standard error is gone.
        writeAll(STDERR_FILENO, line + "\n")
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
        } else if scalar == "\t" || (scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value)) {
            result.unicodeScalars.append(scalar)
        } else if scalar != "\r" {
            result += "\\u{\(String(scalar.value, radix: 16))}"
        }
    }
    return isColored ? result + "\u{1b}[0m" : result
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
