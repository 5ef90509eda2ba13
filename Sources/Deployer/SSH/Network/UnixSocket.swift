import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Connects to a Unix socket; the descriptor, close-on-exec, is the caller's.
func connectUnixSocket(_ path: String) throws(SystemError) -> Int32 {
    try openUnixSocket(path, "connect") { connect($0, $1, $2) }
}

/// Listens on a Unix socket that does not exist yet; the descriptor, close-on-exec, is the caller's.
func listenOnUnixSocket(_ path: String) throws(SystemError) -> Int32 {
    try openUnixSocket(path, "bind") { raw, address, length in
        let code = bind(raw, address, length)
        return code == 0 ? listen(raw, 64) : code
    }
}

private func openUnixSocket(
    _ path: String, _ name: String, _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
) throws(SystemError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw SystemError(name, path, number: ENAMETOOLONG)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let raw = socket(AF_UNIX, streamSocket, 0)
    guard raw >= 0 else { throw SystemError("socket") }
    // Fails only for a descriptor that is not open.
    _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
    let code = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            call(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    if code != 0 {
        let error = SystemError(name, path)
        close(raw)
        throw error
    }
    return raw
}

/// Sends bytes with their number in front, as agents of SSH do; blocks.
func sendPacket(_ raw: Int32, _ bytes: [UInt8]) throws(SystemError) {
    var packet = WireWriter()
    packet.add(string: bytes)
    var rest = packet.bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { send(raw, $0.baseAddress, $0.count, noSignal) }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw SystemError("send") }
        rest = rest.dropFirst(count)
    }
}

/// Receives what ``sendPacket(_:_:)`` sent; blocks. Nil if it is longer than the limit, or the other side goes away.
func receivePacket(_ raw: Int32, limit: Int) -> [UInt8]? {
    guard let header = receive(raw, 4) else { return nil }
    var reader = WireReader(header)
    guard let length = reader.number(), (0...limit).contains(length) else { return nil }
    return receive(raw, length)
}

private func receive(_ raw: Int32, _ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var have = 0
    while have < count {
        let got = bytes.withUnsafeMutableBytes { recv(raw, $0.baseAddress?.advanced(by: have), count - have, 0) }
        if got < 0 && errno == EINTR { continue }
        guard got > 0 else { return nil }
        have += got
    }
    return bytes
}

#if canImport(Glibc)
    let noSignal = Int32(MSG_NOSIGNAL)
#else
    let noSignal: Int32 = 0
#endif
