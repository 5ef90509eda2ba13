import CLibSSH2

/// The libssh2 that this program runs with.
enum LibSSH2 {
    /// Set up once, before the first session; a failure shows as a session that cannot be made.
    static let isReady: Bool = libssh2_init(0) == 0

    /// Version of the library at run time, such as `1.10.0`.
    static let version: String = libssh2_version(0).map { String(cString: $0) } ?? "0"

    /// True from 1.11 on, which signs with RSA and SHA-2; older ones only know RSA with SHA-1, which no server takes.
    static let signsRSA: Bool = libssh2_version(0x010b00) != nil

    /// The names of the algorithms that it has of one kind (`LIBSSH2_METHOD_…`), best first.
    static func supported(_ kind: Int32) -> [String] {
        guard isReady, let session = libssh2_session_init_ex(nil, nil, nil, nil) else { return [] }
        defer { libssh2_session_free(session) }
        var list: UnsafeMutablePointer<UnsafePointer<CChar>?>?
        let count = libssh2_session_supported_algs(session, kind, &list)
        guard count > 0, let list else { return [] }
        defer { libssh2_free(session, list) }
        return (0..<Int(count)).compactMap { list[$0].map { String(cString: $0) } }
    }

    static let hostKeyAlgorithms = supported(LIBSSH2_METHOD_HOSTKEY)
    static let keyExchanges = supported(LIBSSH2_METHOD_KEX)
    static let ciphers = supported(LIBSSH2_METHOD_CRYPT_CS)
    static let macs = supported(LIBSSH2_METHOD_MAC_CS)
}
