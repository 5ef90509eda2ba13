/// What a server's key means, given the lines that name the server; decided before any credential is sent.
enum HostKeyVerdict: Sendable, Equatable {
    case known
    case revoked
    /// Another key of the same type is known, on this line.
    case changed(KnownHost)
    /// Only keys of other types are known, as on this line.
    case otherType(KnownHost)
    case new
}

/// Judges a server's key.
///
/// - Parameter lines: for the host's name; `@revoked` lines among them
func judgeHostKey(_ key: PublicKey, _ lines: [KnownHost]) -> HostKeyVerdict {
    if lines.contains(where: { $0.mark == .revoked && $0.key == key }) { return .revoked }
    let plain = lines.filter { $0.mark == .none }
    if plain.contains(where: { $0.key == key }) { return .known }
    if let other = plain.first(where: { $0.key.type == key.type }) { return .changed(other) }
    return plain.first.map { .otherType($0) } ?? .new
}

/// The host key algorithms to offer: those of known keys first, as `ssh` does, so that the server shows a known one.
///
/// - Parameters:
///   - allowed: from the configuration; all that are available if empty
///   - available: what the library has
func hostKeyOrder(_ lines: [KnownHost], allowed: [String], available: [String]) -> [String] {
    // libssh2 1.11 takes a certificate for a plain key: never let the server show one.
    let available = available.filter { !$0.contains("-cert-") }
    let usable = allowed.isEmpty ? available : allowed.filter { available.contains($0) }
    let known = Set(lines.filter { $0.mark == .none }.flatMap { algorithms(for: $0.key.type) })
    return usable.filter { known.contains($0) } + usable.filter { !known.contains($0) }
}

/// The algorithms that a key of this type can be used with.
func algorithms(for type: String) -> [String] {
    type == "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"] : [type]
}

/// A host key's fingerprint in the form that `ssh` prints.
func fingerprint(sha256 hash: [UInt8]) -> String {
    var text = base64(hash)
    while text.hasSuffix("=") { text.removeLast() }
    return "SHA256:" + text
}
