import Shared

extension SSHConfiguration {
    /// Reads the output of `ssh -G`: one keyword in lower case and its value per line.
    ///
    /// Unknown lines are ignored, so that a newer `ssh` does no harm.
    ///
    /// - Returns: nil if it names no host or user
    init?(parsing text: String, originalHost: String) {
        self.init(originalHost: originalHost, hostName: "", user: "")
        for line in text.split(whereSeparator: \.isNewline).prefix(10_000) {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard let key = parts.first else { continue }
            let value = parts.count > 1 ? trimmed(parts[1]) : ""
            guard !value.isEmpty else { continue }
            if !setTarget(key, value), !setHostKeys(key, value), !setLogin(key, value) { setNeed(key, value) }
        }
        if hostName.isEmpty || user.isEmpty { return nil }
    }

    private mutating func setTarget(_ key: Substring, _ value: String) -> Bool {
        switch key {
        case "hostname": hostName = value
        case "user": user = value
        case "port": port = UInt16(value) ?? 22
        case "addressfamily": addressFamily = value == "inet" ? .ipv4 : value == "inet6" ? .ipv6 : .any
        case "bindaddress": bindAddress = unlessNone(value)
        case "batchmode": isBatch = isYes(value)
        case "connecttimeout": connectTimeout = positiveSeconds(value)
        case "serveraliveinterval": serverAliveInterval = positiveSeconds(value)
        case "serveralivecountmax": serverAliveCount = min(1000, max(1, Int(value) ?? 3))
        // For `-C` OpenSSH 10 says UNKNOWN.
        case "compression": compresses = value != "no"
        case "proxycommand": proxyCommand = unlessNone(value)
        case "proxyjump": proxyJump = unlessNone(value)
        default: return false
        }
        return true
    }

    private mutating func setHostKeys(_ key: Substring, _ value: String) -> Bool {
        switch key {
        case "hostkeyalias": hostKeyAlias = unlessNone(value)
        case "stricthostkeychecking": strictHostKeyChecking = StrictHostKeyChecking(value)
        case "userknownhostsfile": userKnownHostsFiles = words(value)
        case "globalknownhostsfile": globalKnownHostsFiles = words(value)
        case "hashknownhosts": hashesKnownHosts = isYes(value)
        case "nohostauthenticationforlocalhost": skipsLoopbackHostKeys = isYes(value)
        case "ciphers": ciphers = list(value)
        case "macs": macs = list(value)
        case "kexalgorithms": keyExchanges = list(value)
        case "hostkeyalgorithms": hostKeyAlgorithms = list(value)
        default: return false
        }
        return true
    }

    private mutating func setLogin(_ key: Substring, _ value: String) -> Bool {
        switch key {
        case "identityfile": if let file = unlessNone(value) { identityFiles.append(file) }
        case "certificatefile": if let file = unlessNone(value) { certificateFiles.append(file) }
        case "identitiesonly": usesOnlyIdentityFiles = isYes(value)
        case "identityagent": identityAgent = value
        case "preferredauthentications": preferredAuthentications = list(value)
        case "pubkeyauthentication": allowsPublicKey = !isNo(value)
        case "passwordauthentication": allowsPassword = !isNo(value)
        case "kbdinteractiveauthentication", "challengeresponseauthentication":
            allowsKeyboardInteractive = !isNo(value)
        case "numberofpasswordprompts": passwordPrompts = min(100, max(0, Int(value) ?? 3))
        case "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes": acceptedKeyAlgorithms = list(value)
        case "gssapiauthentication": usesGSSAPI = isYes(value)
        default: return false
        }
        return true
    }

    private mutating func setNeed(_ key: Substring, _ value: String) {
        let name: String? =
            switch key {
            case "forwardagent": isNo(value) ? nil : "ForwardAgent"
            case "knownhostscommand": unlessNone(value).map { _ in "KnownHostsCommand" }
            case "revokedhostkeys": unlessNone(value).map { _ in "RevokedHostKeys" }
            case "pkcs11provider": unlessNone(value).map { _ in "PKCS11Provider" }
            case "hostbasedauthentication": isYes(value) ? "HostbasedAuthentication" : nil
            case "verifyhostkeydns": isNo(value) ? nil : "VerifyHostKeyDNS"
            case "proxyusefdpass": isYes(value) ? "ProxyUseFdpass" : nil
            case "bindinterface": unlessNone(value).map { _ in "BindInterface" }
            case "setenv": "SetEnv"
            default: nil
            }
        if let name, !needsSystemSSH.contains(name) { needsSystemSSH.append(name) }
    }
}

extension SSHConfiguration.StrictHostKeyChecking {
    fileprivate init(_ value: String) {
        self =
            switch value {
            case "yes", "true": .yes
            case "no", "false", "off": .no
            case "accept-new": .acceptNew
            default: .ask
            }
    }
}

private func isYes(_ value: String) -> Bool { value == "yes" || value == "true" }
private func isNo(_ value: String) -> Bool { value == "no" || value == "false" }
private func unlessNone(_ value: String) -> String? { value.lowercased() == "none" ? nil : value }
private func list(_ value: String) -> [String] { value.split(separator: ",").map(String.init) }

/// Paths; one that holds blanks cannot be told from two, since `ssh -G` does not quote.
private func words(_ value: String) -> [String] {
    value.split(separator: " ").map(String.init).filter { unlessNone($0) != nil }
}

private func positiveSeconds(_ value: String) -> Duration? {
    guard let seconds = Int(value), (1...86_400).contains(seconds) else { return nil }
    return .seconds(seconds)
}
