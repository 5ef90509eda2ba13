import Dispatch
import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A socket address as `getaddrinfo` gives it.
struct Address: Sendable {
    let family: Int32
    /// A `sockaddr`, byte by byte.
    let bytes: [UInt8]

    /// The numeric form, such as `192.0.2.1 port 22`.
    var text: String {
        var host = [CChar](repeating: 0, count: 128)
        var service = [CChar](repeating: 0, count: 32)
        let code = withSocketAddress { address, length in
            getnameinfo(
                address, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
                NI_NUMERICHOST | NI_NUMERICSERV)
        }
        guard code == 0 else { return "an address" }
        return "\(text(host)) port \(text(service))"
    }

    private func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>?, socklen_t) -> Result) -> Result {
        bytes.withUnsafeBytes { body($0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count)) }
    }
}

/// Which of a host's addresses may be used.
enum AddressFamily: Sendable, Equatable {
    case any, ipv4, ipv6

    fileprivate var number: Int32 {
        switch self {
        case .any: AF_UNSPEC
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        }
    }
}

/// Looks up a host's addresses, best first, on a thread of its own, since the lookup blocks.
///
/// A cancelled lookup goes on in the background; its answer is dropped.
///
/// - Throws: ``SSHError/unreachable(host:reasons:)``, ``SSHError/timedOut(host:phase:after:)``; `CancellationError`
func resolveAddresses(of host: String, port: UInt16, family: AddressFamily, limit: Duration) async throws -> [Address] {
    let answer = OneShot<Result<[Address], SSHError>>()
    DispatchQueue(label: "lookup.\(host)").async { @Sendable in
        answer.set(lookUp(host, port, family))
    }
    guard let result = try await answer.value(within: limit) else {
        throw SSHError.timedOut(host: host, phase: "looking up its address", after: limit)
    }
    return try result.get()
}

private func lookUp(_ host: String, _ port: UInt16, _ family: AddressFamily) -> Result<[Address], SSHError> {
    var hints = addrinfo()
    hints.ai_family = family.number
    hints.ai_socktype = streamSocket
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, "\(port)", &hints, &list)
    defer { if let list { freeaddrinfo(list) } }
    guard code == 0 else {
        let reason = code == EAI_SYSTEM ? String(cString: strerror(errno)) : String(cString: gai_strerror(code))
        return .failure(.unreachable(host: host, reasons: ["its address cannot be found: \(reason)"]))
    }
    var addresses: [Address] = []
    var next = list
    while let entry = next?.pointee {
        let bytes = UnsafeRawBufferPointer(start: entry.ai_addr, count: Int(entry.ai_addrlen))
        addresses.append(Address(family: entry.ai_family, bytes: Array(bytes)))
        next = entry.ai_next
    }
    return .success(addresses)
}

#if canImport(Glibc)
    let streamSocket = Int32(SOCK_STREAM.rawValue)
#else
    let streamSocket = SOCK_STREAM
#endif
