import Dispatch
import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How to reach a server over TCP.
struct TCPTarget: Sendable {
    var host: String
    var port: UInt16
    var family: AddressFamily = .any
    /// Local address to connect from; any if nil.
    var bindAddress: String?
    /// For the lookup and all addresses together.
    var limit: Duration
}

/// Connects to the first of a host's addresses that answers, tried in order, the next one beside those that are slow.
///
/// - Returns: a non-blocking, close-on-exec socket, the caller's, with small packets sent at once
/// - Throws: ``SSHError``; `CancellationError`
func connectTCP(_ target: TCPTarget, name: String) async throws -> Int32 {
    let deadline = ContinuousClock.now + target.limit
    let addresses = try await resolveAddresses(
        of: target.host, port: target.port, family: target.family, limit: target.limit)
    // As RFC 8305 recommends.
    let race = try await firstSuccess(addresses, pause: .milliseconds(250), discard: { close($0) }) { address in
        do {
            return try await connect(address, from: target.bindAddress, within: max(.zero, deadline - .now))
        } catch let error as SystemError {
            throw AddressFailure(address: address.text, reason: error.reason)
        }
    }
    switch race {
    case .value(let socket): return socket
    case .failures(let failures):
        let reasons = failures.isEmpty ? ["it has no address"] : failures.map(describe)
        throw SSHError.unreachable(host: name, reasons: reasons)
    }
}

private struct AddressFailure: Error, CustomStringConvertible {
    let address: String
    let reason: String

    var description: String { "\(address): \(reason)" }
}

private func connect(_ address: Address, from local: String?, within limit: Duration) async throws -> Int32 {
    let raw = try openSocket(address.family)
    do {
        if let local { try bindSocket(raw, local, address.family) }
        let code = address.withSocketAddress { systemConnect(raw, $0, $1) }
        if code != 0 {
            guard errno == EINPROGRESS else { throw SystemError("connect") }
            try await connected(raw, within: limit)
        }
        return raw
    } catch {
        close(raw)
        throw error
    }
}

private func connected(_ raw: Int32, within limit: Duration) async throws {
    let ready = OneShot<Bool>()
    let queue = DispatchQueue(label: "connect")
    let source = try Readiness(raw, .output, queue: queue) { ready.set(true) }
    source.arm()
    defer { source.disarm() }
    guard try await ready.value(within: limit) != nil else { throw SystemError("connect", "", number: ETIMEDOUT) }
    var number: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(raw, SOL_SOCKET, SO_ERROR, &number, &length) == 0 else { throw SystemError("getsockopt") }
    if number != 0 { throw SystemError("connect", "", number: number) }
}

private func openSocket(_ family: Int32) throws(SystemError) -> Int32 {
    let raw = socket(family, closeOnExecSocket, 0)
    guard raw >= 0 else { throw SystemError("socket") }
    var one: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    // Without them it is slower, or notices a dead peer later; never wrong.
    setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &one, size)
    setsockopt(raw, SOL_SOCKET, SO_KEEPALIVE, &one, size)
    do {
        try Descriptor.setNonBlocking(raw)
    } catch {
        close(raw)
        throw error
    }
    return raw
}

private func bindSocket(_ raw: Int32, _ local: String, _ family: Int32) throws(SystemError) {
    var hints = addrinfo()
    hints.ai_family = family
    hints.ai_socktype = streamSocket
    // A number only: a name would block here.
    hints.ai_flags = AI_NUMERICHOST
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(local, nil, &hints, &list) == 0, let list else {
        throw SystemError("bind", local, number: EADDRNOTAVAIL)
    }
    defer { freeaddrinfo(list) }
    guard bind(raw, list.pointee.ai_addr, list.pointee.ai_addrlen) == 0 else { throw SystemError("bind", local) }
}

#if canImport(Glibc)
    private let closeOnExecSocket = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    private let systemConnect = Glibc.connect
#else
    private let closeOnExecSocket = SOCK_STREAM
    private let systemConnect = Darwin.connect
#endif
