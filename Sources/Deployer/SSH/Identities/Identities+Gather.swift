import Shared

extension Identities {
    /// Looks at the agent and at the configured files.
    static func gather(
        _ configuration: SSHConfiguration, _ expansion: Expansion, remembered: PublicKey?
    ) async throws -> Identities {
        guard configuration.allowsPublicKey else { return Identities() }
        let socket = agentSocket(configuration, expansion)
        var held: [AgentClient.Identity] = []
        if let socket {
            do {
                held = try await AgentClient(socketPath: socket).identities()
            } catch is AgentClient.Failure {
                // ssh goes on without an agent that does not answer, and so do we.
            }
        }
        let files = configuration.identityFiles.compactMap { text in
            (try? expansion.path(text)).flatMap { readIdentity($0) }
        }
        var identities = Identities(
            agent: held, files: files, configuration: configuration, signsRSA: LibSSH2.signsRSA,
            remembered: remembered)
        identities.agentSocket = socket
        let certificates = configuration.certificateFiles.compactMap { try? expansion.path($0) }
        let besideKeys = files.map { $0.path + "-cert.pub" }
        for file in certificates + besideKeys where isFile(file) {
            identities.hasCertificate = true
            identities.unusable.append("\(file) is a certificate")
        }
        return identities
    }

    /// Where the agent listens; nil if there is none or it is not to be used.
    static func agentSocket(_ configuration: SSHConfiguration, _ expansion: Expansion) -> String? {
        let environment = expansion.environment
        guard let text = configuration.identityAgent, text != "SSH_AUTH_SOCK" else {
            return environment["SSH_AUTH_SOCK"].flatMap { $0.isEmpty ? nil : $0 }
        }
        if text.lowercased() == "none" { return nil }
        if text.hasPrefix("$"), !text.hasPrefix("${") { return environment[String(text.dropFirst())] }
        return try? expansion.path(text)
    }

    private static func readIdentity(_ path: String) -> IdentityFile? {
        let text = readFile(path).map { String(decoding: $0, as: UTF8.self) }
        var file = IdentityFile(path: path)
        file.privateKey = text.flatMap { PrivateKeyFile($0) }
        file.publicKey = file.privateKey?.publicKey
        if file.publicKey == nil {
            // `IdentityFile` may name a public key, for a private one that only the agent holds.
            let names = path.hasSuffix(".pub") ? [path] : [path + ".pub", path]
            file.publicKey =
                names.lazy.compactMap { name in
                    readFile(name).flatMap { PublicKey(line: trimmed(String(decoding: $0, as: UTF8.self))) }
                }.first
        }
        return file.privateKey == nil && file.publicKey == nil ? nil : file
    }
}
