import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Decides whether a server may be trusted, as the user's configuration has it, and asks or remembers where it says so.
struct HostKeyGuard: Sendable {
    let configuration: SSHConfiguration
    let knownHosts: KnownHosts
    let lines: [KnownHost]
    let prompter: any Prompter
    let log: @Sendable (String) -> Void

    /// Lets the server in.
    ///
    /// - Returns: what speaks against it all the same, so that it gets no secret: a key is proof enough of us
    /// - Throws: ``SSHError`` for a server that may not be trusted; `CancellationError`
    func admit(_ key: PublicKey, fingerprint: String) async throws -> HostDoubt? {
        let host = configuration.displayName
        if configuration.skipsLoopbackHostKeys, isLoopback(configuration.hostName) { return nil }
        switch judgeHostKey(key, try await linesWithoutPort(key)) {
        case .known: return nil
        case .revoked: throw SSHError.hostKeyRevoked(host: host, fingerprint: "\(key.kind) \(fingerprint)")
        case .changed(let line):
            guard configuration.strictHostKeyChecking == .no else {
                throw SSHError.hostKeyChanged(
                    host: host, fingerprint: "\(key.kind) \(fingerprint)", knownIn: line.place)
            }
            log("the host key of \(host) has changed (known: \(line.place)); no password is sent to it")
            return HostDoubt(host: host, knownIn: line.place)
        case .otherType(let line) where configuration.strictHostKeyChecking == .acceptNew:
            // ssh lets this pass; but a server that hides its known key is not what "new" means.
            throw SSHError.hostKeyChanged(
                host: host, fingerprint: "\(key.kind) \(fingerprint)", knownIn: line.place)
        case .otherType, .new:
            try await decideOnNew(key, fingerprint)
            return nil
        }
    }

    private func isLoopback(_ name: String) -> Bool {
        name == "localhost" || name == "::1" || name.hasPrefix("127.")
    }

    /// As `check_host_key` in OpenSSH: a key known for the host at the usual port is good at another one too.
    private func linesWithoutPort(_ key: PublicKey) async throws -> [KnownHost] {
        guard configuration.port != 22, configuration.hostKeyAlias == nil, lines.isEmpty else { return lines }
        let others = try await knownHosts.lines(for: configuration.hostName.lowercased())
        return others.contains { $0.mark == .none && $0.key == key } ? others : lines
    }

    private func decideOnNew(_ key: PublicKey, _ fingerprint: String) async throws {
        switch configuration.strictHostKeyChecking {
        case .yes: throw unknown(key, fingerprint, "StrictHostKeyChecking allows no new keys")
        case .no, .acceptNew: break
        case .ask:
            if configuration.isBatch { throw unknown(key, fingerprint, "BatchMode allows no question") }
            guard try await ask(key, fingerprint) else {
                throw unknown(key, fingerprint, "it was not accepted")
            }
        }
        await remember(key)
    }

    private func unknown(_ key: PublicKey, _ fingerprint: String, _ reason: String) -> SSHError {
        let port = configuration.port == 22 ? "" : "-p \(configuration.port) "
        let file = knownHosts.userFiles.first ?? "~/.ssh/known_hosts"
        let scan = "ssh-keyscan \(port)\(configuration.hostName) >> \(shellQuoted(file))"
        return .hostKeyUnknown(
            host: configuration.displayName, fingerprint: "\(key.kind) \(fingerprint)",
            hint: "\(reason); log in once with ssh, or compare the fingerprint and run: \(scan)")
    }

    /// - Throws: ``SSHError/hostKeyUnknown(host:fingerprint:hint:)`` where there is no terminal
    private func ask(_ key: PublicKey, _ fingerprint: String) async throws -> Bool {
        let host = configuration.displayName
        var text = "the authenticity of host \(host) cannot be established: "
        text += "\(key.kind) key fingerprint is \(fingerprint)\n"
        text += "connect and remember it (yes/no/fingerprint)? "
        for _ in 1...3 {
            guard let answer = try await prompter.ask(Question(text: text, isSecret: false)) else {
                throw unknown(key, fingerprint, "there is no terminal to ask on")
            }
            let word = trimmed(String(decoding: answer.bytes, as: UTF8.self))
            if word.lowercased() == "yes" || word == fingerprint { return true }
            if word.lowercased() == "no" { return false }
            text = "please answer yes, no or the fingerprint: "
        }
        return false
    }

    private func remember(_ key: PublicKey) async {
        guard let file = knownHosts.userFiles.first, file != "/dev/null" else { return }
        do {
            let line = try await hashed("\(configuration.knownHostName) \(key.type) \(key.base64)\n")
            makeFolder(of: file)
            try appendToFile(file, Array((endsInMiddleOfLine(file) ? "\n" + line : line).utf8))
            log("added the \(key.kind) host key of \(configuration.displayName) to \(file)")
        } catch {
            // Not to be able to remember is no reason to refuse; ssh, too, only warns.
            log("the host key of \(configuration.displayName) cannot be remembered: \(error)")
        }
    }

    private func endsInMiddleOfLine(_ file: String) -> Bool {
        readFile(file, limit: 64 << 20)?.last.map { $0 != UInt8(ascii: "\n") } ?? false
    }

    private func makeFolder(of file: String) {
        guard let slash = file.lastIndex(of: "/") else { return }
        // Fails where it exists already; what is missing shows when the file is opened.
        mkdir(String(file[..<slash]), 0o700)
    }

    /// The line with its host name hashed, if the configuration says so.
    private func hashed(_ line: String) async throws -> String {
        guard configuration.hashesKnownHosts else { return line }
        return try await withScratchFolder { folder in
            let file = folder + "/known_hosts"
            try appendToFile(file, Array(line.utf8))
            let words = ["ssh-keygen", "-q", "-H", "-f", file]
            let result = try await LocalCommand(words, environment: knownHosts.environment).run()
            guard result.exit.isSuccess, let bytes = readFile(file), bytes.starts(with: "|1|".utf8) else { return line }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
