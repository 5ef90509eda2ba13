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

/// This program in its second part: started by an `ssh` of ours (`SSH_ASKPASS`), it hands the question to its first.
enum AskpassHelper {
    /// Path of the socket on which ``Askpass`` waits for questions.
    static let socketVariable = "DEPLOY_ASKPASS_SOCKET"

    /// The program to name in `SSH_ASKPASS`.
    static var program: String {
        // Linux knows; elsewhere the first word is all there is.
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments.first
            ?? "deploy"
    }

    /// Asks, and prints the answer for `ssh`.
    ///
    /// - Returns: the exit status; nil if this program was started for its first part
    static func run(_ arguments: [String], environment: [String: String]) -> Int32? {
        guard arguments.count == 2, let path = environment[socketVariable] else { return nil }
        guard let raw = try? connectUnixSocket(path) else { return 1 }
        defer { close(raw) }
        let question = AskpassQuestion(
            text: arguments[1], hint: environment["SSH_ASKPASS_PROMPT"] ?? "", asker: getppid())
        guard (try? sendPacket(raw, question.bytes)) != nil, let answer = receivePacket(raw, limit: 64 << 10) else {
            // Nobody answers: `ssh` takes this status for a no.
            return 1
        }
        writeAll(STDOUT_FILENO, answer + [UInt8(ascii: "\n")])
        return 0
    }
}

/// A question of `ssh`'s, on its way from the helper.
struct AskpassQuestion: Sendable, Equatable {
    let text: String
    /// From `ssh`: empty, `confirm`, or `none` for a mere notice.
    let hint: String
    /// The process that asks: the `ssh` that we started, or one on the way to its host.
    let asker: pid_t

    init(text: String, hint: String, asker: pid_t) { (self.text, self.hint, self.asker) = (text, hint, asker) }

    var bytes: [UInt8] {
        var writer = WireWriter()
        writer.add(number: Int(asker))
        writer.add(string: hint.utf8)
        writer.add(string: text.utf8)
        return writer.bytes
    }

    init?(_ bytes: [UInt8]) {
        var reader = WireReader(bytes)
        guard let asker = reader.number(), let hint = reader.text(), let text = reader.text() else { return nil }
        self.init(text: text, hint: hint, asker: pid_t(truncatingIfNeeded: asker))
    }

    /// Asks for nothing: `ssh` ends the helper when it has gone on.
    var isNotice: Bool { hint == "none" }

    /// The path in a question for a key's passphrase.
    var keyFile: String? {
        let start = "Enter passphrase for key '"
        guard text.hasPrefix(start), text.hasSuffix("': ") else { return nil }
        return String(text.dropFirst(start.count).dropLast(3))
    }

    /// Whether an unknown host is to be let in; `ssh` itself remembers the answer.
    var isAboutHost: Bool {
        text.hasSuffix("(yes/no)? ") || text.hasSuffix("(yes/no/[fingerprint])? ")
            || text.hasPrefix("Please type 'yes'")
    }
}
