/// Which program speaks SSH.
enum TransportChoice: String, Sendable, Equatable, CaseIterable {
    /// libssh2 unless something needs the system's `ssh`.
    case automatic
    case libssh2
    case openssh
}

/// What the choice of a transport depends on.
struct TransportFacts: Sendable {
    var configuration: SSHConfiguration
    var identities = Identities()
    /// The lines of known_hosts that name the host.
    var knownHosts: [KnownHost] = []
    var hasKerberosTicket = false
    /// Why an earlier attempt with libssh2 could not work.
    var learned: String?
    /// What the library has; nothing is concluded from an empty list.
    var available = Algorithms(hostKeys: [], keyExchanges: [], ciphers: [], macs: [])

    struct Algorithms: Sendable {
        var hostKeys: [String]
        var keyExchanges: [String]
        var ciphers: [String]
        var macs: [String]

        static var library: Algorithms {
            Algorithms(
                hostKeys: LibSSH2.hostKeyAlgorithms, keyExchanges: LibSSH2.keyExchanges, ciphers: LibSSH2.ciphers,
                macs: LibSSH2.macs)
        }
    }
}

extension TransportFacts {
    /// Why this login needs the system's `ssh`; nil if libssh2 can do it.
    var reasonForSystemSSH: String? {
        if let learned { return learned }
        if let option = configuration.needsSystemSSH.first { return "\(option) is set" }
        if let method = unknownMethod { return "\(method) is preferred" }
        if configuration.usesGSSAPI, hasKerberosTicket { return "there is a Kerberos ticket, and GSSAPI is on" }
        if identities.hasCertificate, let certificate = identities.unusable.first(where: { $0.contains("certificate") })
        {
            return certificate
        }
        if let first = identities.unusable.first, identities.candidates.isEmpty { return first }
        return hostKeyReason ?? algorithmReason
    }

    /// A method that the user put first and that only `ssh` has.
    private var unknownMethod: String? {
        configuration.preferredAuthentications?.first.flatMap { ["hostbased"].contains($0) ? $0 : nil }
    }

    private var hostKeyReason: String? {
        let plain = knownHosts.filter { $0.mark == .none }
        if plain.isEmpty, let line = knownHosts.first(where: { $0.mark == .authority }) {
            return "the host is known by a certificate authority (\(line.place))"
        }
        let types = Set(plain.flatMap { algorithms(for: $0.key.type) })
        let offered = hostKeyOrder(knownHosts, allowed: configuration.hostKeyAlgorithms, available: available.hostKeys)
        if !plain.isEmpty, !available.hostKeys.isEmpty, types.isDisjoint(with: offered) || rsaIsTooOld(plain, offered) {
            return "libssh2 does not have the type of the known host key (\(plain[0].key.type))"
        }
        return nil
    }

    /// Before it has SHA-2, libssh2 negotiates RSA host keys in a way that servers no longer offer.
    private func rsaIsTooOld(_ plain: [KnownHost], _ offered: [String]) -> Bool {
        plain.allSatisfy { $0.key.isRSA } && !offered.contains { $0.hasPrefix("rsa-sha2") }
    }

    private var algorithmReason: String? {
        let pairs = [
            ("Ciphers", configuration.ciphers, available.ciphers),
            ("MACs", configuration.macs, available.macs),
            ("KexAlgorithms", configuration.keyExchanges, available.keyExchanges),
        ]
        for (name, wanted, have) in pairs where !wanted.isEmpty && !have.isEmpty {
            if Set(wanted).isDisjoint(with: have) { return "libssh2 has none of the \(name) that are configured" }
        }
        return nil
    }
}
