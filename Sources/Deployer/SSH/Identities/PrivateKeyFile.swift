#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
#endif

/// What a private key file tells without its passphrase.
struct PrivateKeyFile: Sendable, Equatable {
    /// Only in OpenSSH's own format; nil for PEM files.
    var publicKey: PublicKey?
    /// The key's type as far as it can be told.
    var type: String?
    var isEncrypted: Bool

    /// - Returns: nil if the text is no private key
    init?(_ text: String) {
        let lines = text.split(whereSeparator: \.isNewline).prefix(2000)
        guard let start = lines.firstIndex(where: { $0.hasPrefix("-----BEGIN ") }) else { return nil }
        let body = lines[lines.index(after: start)...].prefix { !$0.hasPrefix("-----") }
        switch lines[start] {
        case "-----BEGIN OPENSSH PRIVATE KEY-----":
            self.init(openSSH: body.joined())
        case "-----BEGIN RSA PRIVATE KEY-----": self.init(pem: body, type: "ssh-rsa")
        case "-----BEGIN EC PRIVATE KEY-----": self.init(pem: body, type: "ecdsa")
        case "-----BEGIN DSA PRIVATE KEY-----": self.init(pem: body, type: "ssh-dss")
        case "-----BEGIN PRIVATE KEY-----": self.init(pem: body, type: nil)
        case "-----BEGIN ENCRYPTED PRIVATE KEY-----":
            self.init(pem: body, type: nil)
            isEncrypted = true
        default: return nil
        }
    }

    private init(pem body: ArraySlice<Substring>, type: String?) {
        self.type = type
        isEncrypted = body.contains { $0.hasPrefix("Proc-Type:") && $0.contains("ENCRYPTED") }
    }

    /// As PROTOCOL.key in OpenSSH describes it: cipher, key derivation, its options, number of keys, public key.
    private init?(openSSH base64: String) {
        guard let data = Data(base64Encoded: base64) else { return nil }
        let magic = Array("openssh-key-v1\0".utf8)
        guard data.starts(with: magic) else { return nil }
        var reader = WireReader(Array(data.dropFirst(magic.count)))
        guard let cipher = reader.text(), reader.string() != nil, reader.string() != nil,
            let count = reader.number(), count >= 1, let blob = reader.string(), let key = PublicKey(Array(blob))
        else { return nil }
        publicKey = key
        type = key.type
        isEncrypted = cipher != "none"
    }
}
