import Shared

/// A key that may be offered to a server.
struct Candidate: Sendable, Equatable {
    enum Source: Sendable, Equatable {
        case agent(comment: String)
        case file(String, isEncrypted: Bool)
    }

    /// Nil for a file that tells it only with its passphrase, and has no `.pub` file beside it.
    var key: PublicKey?
    var source: Source

    /// For messages: `key /home/me/.ssh/id_ed25519`, `agent key me@laptop`.
    var name: String {
        switch source {
        case .agent(let comment): "agent key \(comment.isEmpty ? key?.kind ?? "" : comment)"
        case .file(let path, _): "key \(path)"
        }
    }
}

/// The keys that the user has for a destination, in the order in which `ssh` offers them.
struct Identities: Sendable, Equatable {
    var candidates: [Candidate] = []
    /// Keys that libssh2 cannot use, and why.
    var unusable: [String] = []
    /// True if the unusable ones are certificates, which `ssh` offers before all else.
    var hasCertificate = false
    var agentSocket: String?
}

/// A private key file that exists, with the public key beside or in it.
struct IdentityFile: Sendable, Equatable {
    var path: String
    var publicKey: PublicKey?
    /// Nil if only the public half is there: the agent then has the other.
    var privateKey: PrivateKeyFile?
}

extension Identities {
    /// Puts keys in order as `pubkey_prepare` in OpenSSH `sshconnect2.c`: agent keys that are configured, other agent
    /// keys, then files; the key that worked before goes first.
    ///
    /// - Parameter signsRSA: what libssh2 can do
    init(
        agent: [AgentClient.Identity], files: [IdentityFile], configuration: SSHConfiguration, signsRSA: Bool,
        remembered: PublicKey?
    ) {
        var rest = files
        var first: [Candidate] = []
        var others: [Candidate] = []
        for identity in agent {
            let candidate = Candidate(key: identity.key, source: .agent(comment: identity.comment))
            if let index = rest.firstIndex(where: { $0.publicKey == identity.key }) {
                rest.remove(at: index)
                first.append(candidate)
            } else if !configuration.usesOnlyIdentityFiles {
                others.append(candidate)
            }
        }
        let fromFiles = rest.compactMap { file in
            file.privateKey.map {
                Candidate(key: file.publicKey, source: .file(file.path, isEncrypted: $0.isEncrypted))
            }
        }
        for candidate in first + others + fromFiles { add(candidate, configuration, signsRSA, rest) }
        if let remembered, let index = candidates.firstIndex(where: { $0.key == remembered }) {
            candidates.insert(candidates.remove(at: index), at: 0)
        }
    }

    private mutating func add(
        _ candidate: Candidate, _ configuration: SSHConfiguration, _ signsRSA: Bool, _ files: [IdentityFile]
    ) {
        var type = candidate.key?.type
        if type == nil, case .file(let path, _) = candidate.source {
            type = files.first { $0.path == path }?.privateKey?.type
        }
        if let key = candidate.key, !configuration.acceptedKeyAlgorithms.isEmpty,
            Set(algorithms(for: key.type)).isDisjoint(with: configuration.acceptedKeyAlgorithms)
        {
            return
        }
        if candidate.key?.isCertificate == true {
            hasCertificate = true
            unusable.append("\(candidate.name) is a certificate")
        } else if candidate.key?.isHardware == true || type?.hasPrefix("sk-") == true {
            unusable.append("\(candidate.name) is a hardware key")
        } else if type == "ssh-rsa", !signsRSA {
            unusable.append("\(candidate.name) is an RSA key")
        } else if type != "ssh-dss" {
            candidates.append(candidate)
        }
    }
}
