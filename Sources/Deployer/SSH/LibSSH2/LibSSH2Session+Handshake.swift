import CLibSSH2
import Shared

/// Algorithms to offer, best first; libssh2's own order where a list is empty.
struct AlgorithmOffer: Sendable, Equatable {
    var hostKeys: [String] = []
    var keyExchanges: [String] = []
    var ciphers: [String] = []
    var macs: [String] = []
    /// Fails for no server: whatever one offers, `none` is among it.
    var compresses = false

    /// What the user's configuration allows out of what the library has, the types of known host keys first.
    init(_ configuration: SSHConfiguration, known: [KnownHost], available: TransportFacts.Algorithms) {
        hostKeys = hostKeyOrder(known, allowed: configuration.hostKeyAlgorithms, available: available.hostKeys)
        keyExchanges = configuration.keyExchanges.filter { available.keyExchanges.contains($0) }
        ciphers = configuration.ciphers.filter { available.ciphers.contains($0) }
        macs = configuration.macs.filter { available.macs.contains($0) }
        compresses = configuration.compresses
    }
}

/// libssh2 and this server have no algorithms in common; the system's `ssh` may have.
struct NoCommonAlgorithms: Error {
    let reason: String
}

extension LibSSH2Session {
    /// Exchanges keys, which also proves that the server has the private half of its key.
    ///
    /// The login's service is asked for then, and its answer, which says no more than that, is not waited for: what follows
    /// the request is sent right behind it, which spares a round trip. libssh2 is left in the middle of its handshake, of
    /// which nothing but that answer is missing; it keeps it unread.
    ///
    /// - Parameter waits: for the answer all the same, and so for the server's list of signature algorithms
    /// - Returns: the server's key, not yet checked against known ones, and its fingerprint
    /// - Throws: ``NoCommonAlgorithms``, ``SSHError``
    func shakeHands(
        _ offer: AlgorithmOffer, within limit: Duration, askpass: Askpass?, waits: Bool = false
    ) async throws -> (key: PublicKey, fingerprint: String) {
        setPreferences(offer)
        handle?.notes.pointee.quick_ack = 1
        guard let socket = handle?.socket else { throw end ?? SSHError.lost(host: host, reason: "it is closed") }
        let code = try await complete("exchanging keys", within: limit, askpass: askpass) { raw in
            let code = Int(libssh2_session_handshake(raw, socket))
            let hasAsked = code == Int(LIBSSH2_ERROR_EAGAIN) && handle?.sealedPackets == 1
            return hasAsked && !waits ? 0 : code
        }
        if code != 0 {
            let reason = handle?.message(Int32(truncatingIfNeeded: code)) ?? ""
            let disagreements = [
                LIBSSH2_ERROR_KEX_FAILURE, LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE, LIBSSH2_ERROR_METHOD_NONE,
                LIBSSH2_ERROR_HOSTKEY_INIT, LIBSSH2_ERROR_HOSTKEY_SIGN, LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
            ]
            if disagreements.contains(Int32(truncatingIfNeeded: code)) { throw NoCommonAlgorithms(reason: reason) }
            throw failure("exchanging keys", code)
        }
        return try serverKey()
    }

    private func setPreferences(_ offer: AlgorithmOffer) {
        guard let raw = handle?.raw else { return }
        if offer.compresses { libssh2_session_flag(raw, LIBSSH2_FLAG_COMPRESS, 1) }
        // Alike in both directions: libssh2 1.11.1 crashes with GCM in only one.
        let preferences = [
            (LIBSSH2_METHOD_HOSTKEY, offer.hostKeys), (LIBSSH2_METHOD_KEX, offer.keyExchanges),
            (LIBSSH2_METHOD_CRYPT_CS, offer.ciphers), (LIBSSH2_METHOD_CRYPT_SC, offer.ciphers),
            (LIBSSH2_METHOD_MAC_CS, offer.macs), (LIBSSH2_METHOD_MAC_SC, offer.macs),
        ]
        for (method, names) in preferences where !names.isEmpty {
            // Fails for names that the library lacks, and these were left out.
            libssh2_session_method_pref(raw, method, names.joined(separator: ","))
        }
    }

    private func serverKey() throws -> (key: PublicKey, fingerprint: String) {
        var length = 0
        var type: Int32 = 0
        guard let raw = handle?.raw, let bytes = libssh2_session_hostkey(raw, &length, &type),
            let key = PublicKey(Array(UnsafeRawBufferPointer(start: bytes, count: length))),
            let hash = libssh2_hostkey_hash(raw, LIBSSH2_HOSTKEY_HASH_SHA256)
        else {
            throw SSHError.failed(host: host, step: "exchanging keys", reason: "the server showed no key")
        }
        return (key, fingerprint(sha256: Array(UnsafeRawBufferPointer(start: hash, count: 32))))
    }

    /// What was agreed on, for the debug log.
    var agreedAlgorithms: String {
        guard let raw = handle?.raw else { return "" }
        let kinds = [
            LIBSSH2_METHOD_KEX, LIBSSH2_METHOD_HOSTKEY, LIBSSH2_METHOD_CRYPT_CS, LIBSSH2_METHOD_MAC_CS,
            LIBSSH2_METHOD_COMP_CS,
        ]
        return kinds.compactMap { libssh2_session_methods(raw, $0).map { String(cString: $0) } }
            .joined(separator: ", ")
    }
}
