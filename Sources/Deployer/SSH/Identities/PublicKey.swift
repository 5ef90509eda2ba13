#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
#endif

/// A public key in the form that SSH sends: its type's name, then its numbers.
struct PublicKey: Sendable, Hashable {
    let bytes: [UInt8]
    /// Such as `ssh-ed25519` or `ecdsa-sha2-nistp256-cert-v01@openssh.com`.
    let type: String

    init?(_ bytes: [UInt8]) {
        var reader = WireReader(bytes)
        guard let type = reader.text(), !type.isEmpty else { return nil }
        self.bytes = bytes
        self.type = type
    }

    /// - Parameter base64: as in known_hosts and `.pub` files
    init?(base64: some StringProtocol) {
        guard let data = Data(base64Encoded: String(base64)) else { return nil }
        self.init(Array(data))
    }

    /// A line of a `.pub` file or of `authorized_keys` without options: type, key, comment.
    init?(line: some StringProtocol) {
        let fields = line.split(separator: " ", maxSplits: 2)
        guard fields.count >= 2, let key = PublicKey(base64: fields[1]), key.type == fields[0] else { return nil }
        self = key
    }

    var base64: String { Data(bytes).base64EncodedString() }

    var isCertificate: Bool { type.hasSuffix("-cert-v01@openssh.com") }
    var isHardware: Bool { type.hasPrefix("sk-") }
    var isRSA: Bool { type == "ssh-rsa" }

    /// Short name for messages, as `ssh` prints it.
    var kind: String {
        if type.contains("ed25519") { return isHardware ? "ED25519-SK" : "ED25519" }
        if type.contains("ecdsa") { return isHardware ? "ECDSA-SK" : "ECDSA" }
        return isRSA ? "RSA" : type
    }
}

/// Bytes in base64.
func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
