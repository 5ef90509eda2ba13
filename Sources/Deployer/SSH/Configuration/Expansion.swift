/// Puts in what `ssh -G` leaves in its output: `~`, %-tokens and `${NAME}`.
///
/// As `default_client_percent_expand` in OpenSSH `ssh.c` and the table TOKENS in ssh_config(5).
struct Expansion: Sendable {
    var configuration: SSHConfiguration
    var home: String
    var localUser: String
    var localUserID: UInt32
    /// This machine's name, with its domain if it has one.
    var localHost: String
    var environment: [String: String]

    /// What cannot be put in.
    enum Failure: Error, Equatable {
        case unknownToken(Character)
        case unknownVariable(String)
    }

    /// A path: tokens, variables and a leading `~`.
    func path(_ text: String) throws(Failure) -> String {
        let text = try variables(try tokens(text))
        if text == "~" { return home }
        return text.hasPrefix("~/") ? home + text.dropFirst() : text
    }

    /// A command for the shell, which itself puts in variables.
    func command(_ text: String) throws(Failure) -> String { try tokens(text) }

    private func tokens(_ text: String) throws(Failure) -> String {
        var result = ""
        var isToken = false
        for character in text {
            if isToken {
                result += try token(character)
                isToken = false
            } else if character == "%" {
                isToken = true
            } else {
                result.append(character)
            }
        }
        if isToken { throw .unknownToken("%") }
        return result
    }

    private func token(_ character: Character) throws(Failure) -> String {
        switch character {
        case "%": return "%"
        case "d": return home
        case "h": return configuration.hostName
        case "i": return String(localUserID)
        case "j": return configuration.proxyJump ?? ""
        case "k": return configuration.hostKeyAlias ?? configuration.originalHost
        case "L": return String(localHost.prefix { $0 != "." })
        case "l": return localHost
        case "n": return configuration.originalHost
        case "p": return String(configuration.port)
        case "r": return configuration.user
        case "u": return localUser
        // %C is a SHA-1 hash, which this program cannot make.
        default: throw .unknownToken(character)
        }
    }

    private func variables(_ text: String) throws(Failure) -> String {
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${") {
            result += rest[..<start.lowerBound]
            guard let end = rest[start.upperBound...].firstIndex(of: "}") else { break }
            let name = String(rest[start.upperBound..<end])
            guard let value = environment[name] else { throw .unknownVariable(name) }
            result += value
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }
}
