import CLibSSH2
import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A signature that libssh2 asks for in the middle of a login, and gets once we have it.
private final class SignatureRequest {
    enum State {
        case unasked
        case wanted([UInt8])
        case given([UInt8])
        /// Only to see whether the server would take the key; or the agent declined.
        case declined
    }
    var state: State

    init(_ state: State) { self.state = state }

    var wanted: [UInt8]? { if case .wanted(let data) = state { data } else { nil } }

    func answer(
        _ signature: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, _ length: UnsafeMutablePointer<Int>?,
        _ data: UnsafeBufferPointer<UInt8>
    ) -> Int32 {
        switch state {
        case .unasked, .wanted:
            state = .wanted(Array(data))
            return LIBSSH2_ERROR_EAGAIN
        case .declined: return -1
        case .given(let bytes):
            // libssh2 allocates with `malloc`, and frees it as its own.
            guard let copy = malloc(max(1, bytes.count)) else { return -1 }
            copy.copyMemory(from: bytes, byteCount: bytes.count)
            signature?.pointee = copy.assumingMemoryBound(to: UInt8.self)
            length?.pointee = bytes.count
            return 0
        }
    }
}

private let answerSignature:
    @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, UnsafeMutablePointer<Int>?,
        UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> Int32 = { _, signature, length, data, count, abstract in
        guard let pointer = abstract?.pointee else { return -1 }
        let request = Unmanaged<SignatureRequest>.fromOpaque(pointer).takeUnretainedValue()
        return request.answer(signature, length, UnsafeBufferPointer(start: data, count: count))
    }

extension LibSSH2Session {
    /// Offers a key that the server has accepted before, and opens a channel right behind its signature: what follows the
    /// request that lets us in belongs to the service behind it (RFC 4252, 5.3), which spares a round trip.
    ///
    /// With a server that no longer takes the key, or does not like this, nothing more can be done on the connection.
    func offerWithChannel(_ candidate: Candidate, _ login: Login) async throws -> LoginStep {
        opensBehindSignature = true
        defer { opensBehindSignature = false }
        let step = try await offer(candidate, login)
        guard step == .accepted else {
            let error = SSHError.lost(host: host, reason: "it refuses the key that it has taken before")
            fail(error)
            throw error
        }
        return step
    }

    /// Makes a call that offers a key to its end, and opens a channel once the signature is sent where that is wanted.
    ///
    /// - Parameter packets: how many it sends up to the signature; nil if it sends none
    private func offering(signedAfter packets: UInt64?, _ call: (OpaquePointer) -> Int) async throws -> Int {
        let step = "offering a key"
        let before = handle?.sealedPackets ?? 0
        let isSignedAt = opensBehindSignature ? packets.map { before + $0 } : nil
        let code = try await complete(step, within: Login.answerLimit) { raw in
            let code = call(raw)
            let isSigned = isSignedAt != nil && handle?.sealedPackets == isSignedAt
            return code == Int(LIBSSH2_ERROR_EAGAIN) && isSigned ? Self.isSigned : code
        }
        guard code == Self.isSigned else { return code }
        openAheadLater()
        return try await complete(step, within: Login.answerLimit, call)
    }

    private static var isSigned: Int { .max }

    func offer(_ candidate: Candidate, _ login: Login) async throws -> LoginStep {
        switch candidate.source {
        case .agent:
            guard let key = candidate.key, let socket = login.identities.agentSocket else { return .refused }
            return try await offer(key, of: AgentClient(socketPath: socket), login)
        case .file(let path, isEncrypted: false):
            return step(try await offerFile(path, passphrase: nil, login))
        case .file(let path, isEncrypted: true):
            return try await offerEncrypted(path, candidate.key, login)
        }
    }

    private func step(_ code: Int) -> LoginStep {
        switch Int32(truncatingIfNeeded: code) {
        case 0: .accepted
        case LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED: .notEnough
        default: .refused
        }
    }

    private func offer(_ key: PublicKey, of agent: AgentClient, _ login: Login) async throws -> LoginStep {
        let request = SignatureRequest(.unasked)
        var code = try await sendKey(key, request, login)
        if let data = request.wanted {
            do {
                request.state = .given(try await agent.sign(data, with: key))
            } catch is AgentClient.Failure {
                request.state = .declined
            }
            let declined = if case .declined = request.state { true } else { false }
            code = try await sendKey(key, request, login)
            if declined { return .refused }
        }
        return step(code)
    }

    /// - Returns: 0 for success, 1 if libssh2 waits for the signature, an error code otherwise
    private func sendKey(_ key: PublicKey, _ request: SignatureRequest, _ login: Login) async throws -> Int {
        let user = login.configuration.user
        let isAnswered = if case .given = request.state { true } else { false }
        return try await offering(signedAfter: isAnswered ? 1 : nil) { raw in
            withExtendedLifetime(request) {
                var abstract: UnsafeMutableRawPointer? = Unmanaged.passUnretained(request).toOpaque()
                let code = libssh2_userauth_publickey(
                    raw, user, key.bytes, key.bytes.count, answerSignature, &abstract)
                return code == LIBSSH2_ERROR_EAGAIN && request.wanted != nil ? 1 : Int(code)
            }
        }
    }

    private func offerFile(_ path: String, passphrase: Secret?, _ login: Login) async throws -> Int {
        let user = login.configuration.user
        let words = (passphrase?.bytes ?? []).map { CChar(bitPattern: $0) } + [0]
        // The question whether the server takes the key, then the signature.
        return try await offering(signedAfter: 2) { raw in
            Int(libssh2_userauth_publickey_fromfile_ex(raw, user, UInt32(user.utf8.count), nil, path, words))
        }
    }

    /// Asks the server first whether it would take the key, so that nobody types a passphrase for nothing.
    private func offerEncrypted(_ path: String, _ key: PublicKey?, _ login: Login) async throws -> LoginStep {
        if let key {
            let code = try await sendKey(key, SignatureRequest(.declined), login)
            if step(code) != .notEnough || handle?.disconnectText.isEmpty == false { return .refused }
        }
        if login.configuration.isBatch { return .refused }
        let name = LoginMemory.passphrase(path)
        let question = Question(text: "Enter passphrase for key '\(path)': ", isSecret: true)
        for _ in 0..<max(1, login.configuration.passwordPrompts) {
            guard let secret = try await login.memory.secret(name, question, login.prompter) else { return .refused }
            if secret.bytes.isEmpty {
                login.memory.forget(name, secret)
                return .refused
            }
            let code = try await offerFile(path, passphrase: secret, login)
            if !isWrongPassphrase(code) { return step(code) }
            login.memory.forget(name, secret)
        }
        return .refused
    }

    private func isWrongPassphrase(_ code: Int) -> Bool {
        code == Int(LIBSSH2_ERROR_FILE) || code == Int(LIBSSH2_ERROR_KEYFILE_AUTH_FAILED)
    }
}
