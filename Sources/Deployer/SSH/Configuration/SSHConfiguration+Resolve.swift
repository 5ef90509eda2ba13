import Shared

extension Destination {
    /// The host without the brackets of an IPv6 address.
    var bareHost: String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    /// Words for `ssh`: the user, the node's options, `more`, and the host, which no option can be mistaken for.
    ///
    /// The user comes first, since the first value that `ssh` finds counts.
    func sshWords(_ program: [String], _ more: [String] = []) -> [String] {
        program + ["-l", user] + options + more + ["--", bareHost]
    }
}

extension SSHConfiguration {
    /// Asks the system's `ssh` what it would do for this destination.
    ///
    /// - Throws: ``SSHError/configuration(host:reason:)``, ``SSHError/noProgram``; `CancellationError`
    static func resolve(_ destination: Destination, environment: [String: String]) async throws -> SSHConfiguration {
        let host = destination.host
        guard !destination.bareHost.isEmpty, !destination.user.isEmpty else {
            throw SSHError.configuration(host: host, reason: "its host name or user is empty")
        }
        let options = SSHOptions(destination.options)
        if let word = options.strayWord {
            throw SSHError.configuration(host: host, reason: "\"\(word)\" in sshOpts is no option of ssh")
        }
        let result = try await runSSH(destination.sshWords(["ssh", "-G"]), host: host, environment: environment)
        guard result.exit.isSuccess, !result.timedOut else {
            let reason = lastLines(1, of: result.errorText).first ?? ""
            throw SSHError.configuration(host: host, reason: reason.isEmpty ? "ssh -G: \(result.exit)" : reason)
        }
        guard var configuration = SSHConfiguration(parsing: result.text, originalHost: destination.bareHost) else {
            throw SSHError.configuration(host: host, reason: "ssh -G named no host or user")
        }
        configuration.configurationFile = options.configurationFile
        return configuration
    }

    private static func runSSH(
        _ words: [String], host: String, environment: [String: String]
    ) async throws -> LocalResult {
        do {
            let command = LocalCommand(words, environment: environment)
            return try await command.run(outputLimit: 1 << 20, timeLimit: .seconds(10))
        } catch LocalCommandError.notFound {
            throw SSHError.noProgram
        } catch let error as LocalCommandError {
            throw SSHError.configuration(host: host, reason: error.description)
        } catch let error as SystemError {
            throw SSHError.configuration(host: host, reason: error.description)
        }
    }
}
