/// How the bytes get to the server.
enum ProxyPlan: Sendable, Equatable {
    /// A TCP connection of our own.
    case direct
    /// A command of the user's, run by the shell as `ssh` runs it.
    case command(String)
    /// A chain of `ssh -W`, as words.
    case jump([String])

    /// - Throws: ``Expansion/Failure`` for a token that this program does not know
    init(_ configuration: SSHConfiguration, _ expansion: Expansion) throws(Expansion.Failure) {
        if let command = configuration.proxyCommand {
            self = .command(try expansion.command(command))
        } else if let jump = configuration.proxyJump, let words = ProxyPlan.jumpWords(jump, configuration) {
            self = .jump(words)
        } else {
            self = .direct
        }
    }

    /// As OpenSSH `ssh.c` builds its own: the last hop carries us, the ones before it are its own jumps.
    private static func jumpWords(_ jump: String, _ configuration: SSHConfiguration) -> [String]? {
        var hops = jump.split(separator: ",").map(String.init)
        guard let last = hops.popLast(), let hop = JumpHop(last) else { return nil }
        var words = ["ssh"]
        if let file = configuration.configurationFile { words += ["-F", file] }
        if let user = hop.user { words += ["-l", user] }
        if let port = hop.port { words += ["-p", port] }
        if !hops.isEmpty { words += ["-J", hops.joined(separator: ",")] }
        return words + ["-W", "[\(configuration.hostName)]:\(configuration.port)", "--", hop.host]
    }
}

/// One hop of a ProxyJump: `[user@]host[:port]` or `ssh://[user@]host[:port]`, an IPv6 address in brackets.
struct JumpHop: Equatable {
    var user: String?
    var host: String
    var port: String?

    init?(_ text: String) {
        var rest = text[...]
        if rest.hasPrefix("ssh://") {
            rest = rest.dropFirst(6)
            if rest.hasSuffix("/") { rest = rest.dropLast() }
        }
        if let at = rest.lastIndex(of: "@") {
            user = String(rest[..<at])
            rest = rest[rest.index(after: at)...]
        }
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            rest = rest[rest.index(after: end)...]
            if rest.hasPrefix(":") { port = String(rest.dropFirst()) }
        } else if let colon = rest.firstIndex(of: ":"), rest.lastIndex(of: ":") == colon {
            host = String(rest[..<colon])
            port = String(rest[rest.index(after: colon)...])
        } else {
            host = String(rest)
        }
        if host.isEmpty || user?.isEmpty == true { return nil }
        if port?.isEmpty == true { port = nil }
    }
}
