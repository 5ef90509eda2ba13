import Shared

/// What `ssh` itself had to say, read from its log (`-E`), where nothing of the remote command's can be.
///
/// Its texts are no interface, so this is the only place that knows them, and what it does not know stays a text.
enum OpenSSHFailure: Sendable, Equatable {
    /// The master's connection takes no further session (`MaxSessions`).
    case sessionRefused
    case loginRefused(accepted: String)
    case hostKeyChanged(fingerprint: String, knownIn: String)
    case hostKeyRevoked
    case hostKeyNotAccepted
    case timedOut
    case unreachable(String)
    case lost(String)
    case other(String)

    /// - Returns: nil if the log tells of no failure
    init?(log: String) {
        let lines = log.split(whereSeparator: \.isNewline).map { trimmed($0) }
            .filter { !$0.isEmpty && !$0.hasPrefix("debug") }
        guard let last = lines.last else { return nil }
        func line(_ parts: String...) -> String? {
            lines.last { line in parts.contains { line.contains($0) } }
        }
        if line("Session open refused by peer") != nil {
            self = .sessionRefused
        } else if line("is marked as revoked", "REVOKED HOST KEY", " revoked by file ") != nil {
            self = .hostKeyRevoked
        } else if line("REMOTE HOST IDENTIFICATION HAS CHANGED") != nil {
            self = OpenSSHFailure.changed(lines)
        } else if line("Host key verification failed") != nil {
            self = .hostKeyNotAccepted
        } else if let denied = line("Permission denied (", "Too many authentication failures") {
            self = .loginRefused(accepted: OpenSSHFailure.inParentheses(denied))
        } else if let reason = line("Could not resolve hostname", "Connection refused", "No route to host") {
            self = .unreachable(reason)
        } else if line("Connection timed out", "Operation timed out") != nil {
            self = .timedOut
        } else if let reason = line(
            "not responding", "Broken pipe", "Connection reset", "Connection closed", "client_loop:",
            "read header failed", "Control socket connect", "master is dead")
        {
            self = .lost(reason)
        } else if OpenSSHFailure.isHarmless(last) {
            return nil
        } else {
            self = .other(last)
        }
    }

    private static func isHarmless(_ line: String) -> Bool {
        line.hasPrefix("Warning: ") || line.hasPrefix("Shared connection to")
    }

    private static func changed(_ lines: [String]) -> OpenSSHFailure {
        let fingerprint = lines.first { $0.hasPrefix("SHA256:") || $0.hasPrefix("MD5:") } ?? ""
        let offending = lines.first { $0.hasPrefix("Offending ") && $0.contains(" key in ") } ?? ""
        let place = offending.firstRange(of: " key in ").map { String(offending[$0.upperBound...]) } ?? ""
        let end = fingerprint.hasSuffix(".") ? String(fingerprint.dropLast()) : fingerprint
        return .hostKeyChanged(fingerprint: end, knownIn: place)
    }

    private static func inParentheses(_ line: String) -> String {
        guard let open = line.lastIndex(of: "("), let close = line.lastIndex(of: ")"), open < close else { return "" }
        return String(line[line.index(after: open)..<close])
    }

    /// As the error that the rest of the program knows.
    func error(_ configuration: SSHConfiguration, limit: Duration) -> SSHError {
        let host = configuration.displayName
        switch self {
        case .sessionRefused:
            return .failed(
                host: host, step: "opening a session", reason: "the server allows no session (MaxSessions)")
        case .loginRefused(let accepted):
            let tried = accepted.isEmpty ? [] : ["what ssh has for \(accepted)"]
            return .loginRefused(destination: "\(configuration.user)@\(host)", tried: tried)
        case .hostKeyChanged(let fingerprint, let place):
            return .hostKeyChanged(host: host, fingerprint: fingerprint, knownIn: place)
        case .hostKeyRevoked: return .hostKeyRevoked(host: host, fingerprint: "")
        case .hostKeyNotAccepted:
            let hint = "ssh did not accept it; log in once with ssh, or add it with ssh-keyscan after comparing it"
            return .hostKeyUnknown(host: host, fingerprint: "not shown", hint: hint)
        case .timedOut: return .timedOut(host: host, phase: "connecting with ssh", after: limit)
        case .unreachable(let reason): return .unreachable(host: host, reasons: [reason])
        case .lost(let reason): return .lost(host: host, reason: reason)
        case .other(let reason): return .failed(host: host, step: "logging in with ssh", reason: reason)
        }
    }
}
