import Dispatch
import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// An ssh-agent, spoken to over its socket; every request has a connection and a thread of its own, since it blocks.
///
/// As draft-ietf-sshm-ssh-agent describes it.
struct AgentClient: Sendable {
    let socketPath: String

    struct Identity: Sendable, Equatable {
        var key: PublicKey
        var comment: String
    }

    enum Failure: Error, Equatable {
        case notReachable(SystemError)
        case badAnswer
        /// It does not want to, such as when its user declines.
        case refused
        case timedOut
    }

    private enum Message {
        static let requestIdentities: UInt8 = 11
        static let identities: UInt8 = 12
        static let sign: UInt8 = 13
        static let signature: UInt8 = 14
    }

    /// The keys that it holds.
    func identities() async throws -> [Identity] {
        let answer = try await request([Message.requestIdentities], limit: .seconds(5))
        return try AgentClient.parseIdentities(answer)
    }

    /// Reads the answer to a request for the keys.
    static func parseIdentities(_ answer: [UInt8]) throws(Failure) -> [Identity] {
        var reader = WireReader(answer)
        guard reader.byte() == Message.identities, let count = reader.number(), count <= 10_000 else {
            throw .badAnswer
        }
        var found: [Identity] = []
        for _ in 0..<count {
            guard let blob = reader.string(), let comment = reader.text() else { throw .badAnswer }
            if let key = PublicKey(Array(blob)) { found.append(Identity(key: key, comment: comment)) }
        }
        return found
    }

    /// Signs for a login; the agent may ask its user first, so this may take as long as a person does.
    ///
    /// - Returns: the signature without its type's name
    func sign(_ data: [UInt8], with key: PublicKey) async throws -> [UInt8] {
        var message = WireWriter()
        message.add(Message.sign)
        message.add(string: key.bytes)
        message.add(string: data)
        message.add(number: AgentClient.flags(for: data))
        let answer = try await request(message.bytes, limit: .seconds(120))
        var reader = WireReader(answer)
        guard reader.byte() == Message.signature, let blob = reader.string() else { throw Failure.refused }
        var inner = WireReader(blob)
        guard inner.string() != nil, let signature = inner.string() else { throw Failure.badAnswer }
        return Array(signature)
    }

    /// The hash that an RSA key is to be used with, from the algorithm's name in what is to be signed.
    private static func flags(for data: [UInt8]) -> Int {
        var reader = WireReader(data)
        // Session, message number, user, service, method, whether signed, algorithm.
        guard reader.string() != nil, reader.byte() != nil, reader.string() != nil, reader.string() != nil,
            reader.string() != nil, reader.byte() != nil, let algorithm = reader.text()
        else { return 0 }
        switch algorithm {
        case "rsa-sha2-256": return 2
        case "rsa-sha2-512": return 4
        default: return 0
        }
    }

    private func request(_ message: [UInt8], limit: Duration) async throws -> [UInt8] {
        let raw = try open(limit)
        let answer = OneShot<Result<[UInt8], Failure>>()
        DispatchQueue(label: "agent").async { @Sendable in
            let result = Result { () throws(Failure) in try exchange(raw, message) }
            close(raw)
            answer.set(result)
        }
        guard let result = try await answer.value(within: limit) else { throw Failure.timedOut }
        return try result.get()
    }

    private func open(_ limit: Duration) throws -> Int32 {
        let raw: Int32
        do {
            raw = try connectUnixSocket(socketPath)
        } catch {
            throw Failure.notReachable(error)
        }
        // The thread that waits for the answer ends with it even if nobody waits for the thread.
        var patience = timeval(tv_sec: Int(limit.seconds) + 1, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        return raw
    }
}

private func exchange(_ raw: Int32, _ message: [UInt8]) throws(AgentClient.Failure) -> [UInt8] {
    do {
        try sendPacket(raw, message)
    } catch {
        throw .notReachable(error)
    }
    guard let answer = receivePacket(raw, limit: 1 << 20), !answer.isEmpty else { throw .badAnswer }
    return answer
}
