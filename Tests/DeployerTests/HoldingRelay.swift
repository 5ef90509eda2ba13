import Foundation
import Shared
import Synchronization

@testable import Deployer

/// A way to a server that can keep back what the server says, so that what is sent without waiting for it shows.
final class HoldingRelay: Sendable {
    let port: Int
    private let listener: Int32
    private let target: Int
    private let state = Mutex(State())

    private struct State {
        var keepsBack = false
        /// From the client's first encrypted packet of a connection on.
        var keepsBackSealed = false
        /// What the server has said and nobody has heard yet, with where it goes.
        var held: [(bytes: [UInt8], to: Int32)] = []
        /// Bytes of the client's since the last ``keepBack()``, encrypted ones alone.
        var sent = 0
        /// So many of them, and it passes all by itself.
        var limit: Int?
        var waiters: [(isMet: @Sendable (State) -> Bool, ready: OneShot<Bool>)] = []

        var heldBytes: Int { held.reduce(0) { $0 + $1.bytes.count } }

        mutating func takeMet() -> [OneShot<Bool>] {
            let met = waiters.filter { $0.isMet(self) }
            waiters.removeAll { one in met.contains { $0.ready === one.ready } }
            return met.map(\.ready)
        }
    }

    init(to target: Int) throws {
        self.target = target
        listener = socket(AF_INET, streamSocket, 0)
        port = try freePort()
        guard Self.with(port, { bind(listener, $0, $1) }) == 0, listen(listener, 5) == 0 else {
            throw SystemError("listen")
        }
        Thread.detachNewThread { [self] in
            while true {
                let client = accept(listener, nil, nil)
                if client < 0 { return }
                carry(client)
            }
        }
    }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    // MARK: What a test says and asks

    /// Keeps back all that the server says, once a connection is encrypted; counts what is sent meanwhile.
    ///
    /// - Parameter count: bytes from the client after which it passes all by itself, however late whoever waits comes to run
    func keepBack(onceSealed: Bool = false, untilSent count: Int? = nil) {
        state.withLock { state in
            state.sent = 0
            state.limit = count
            if onceSealed { state.keepsBackSealed = true } else { state.keepsBack = true }
        }
    }

    /// Lets out what was kept back so far, and no more.
    func letOut() {
        state.withLock { state in
            for (bytes, client) in state.held { Self.write(bytes, to: client) }
            state.held = []
        }
    }

    func pass() {
        letOut()
        state.withLock { ($0.keepsBack, $0.keepsBackSealed) = (false, false) }
        letOut()
    }

    /// Waits until the client has sent so many encrypted bytes.
    func sent(_ count: Int) async throws { try await wait("\(count) bytes from the client") { $0.sent >= count } }

    /// Waits until the server has said so much that nobody has heard.
    func held(_ count: Int) async throws { try await wait("\(count) bytes from the server") { $0.heldBytes >= count } }

    var sentBytes: Int { state.withLock { $0.sent } }

    private func wait(_ what: String, _ isMet: @escaping @Sendable (State) -> Bool) async throws {
        let ready = OneShot<Bool>()
        let met = state.withLock { state in
            state.waiters.append((isMet, ready))
            return state.takeMet()
        }
        for one in met { one.set(true) }
        guard try await ready.value(within: .seconds(120)) == true else {
            throw TestFailure("\(what) did not come: \(sentBytes) sent")
        }
    }

    // MARK: Carrying

    private func carry(_ client: Int32) {
        let server = socket(AF_INET, streamSocket, 0)
        guard Self.with(target, { connect(server, $0, $1) }) == 0 else {
            close(client)
            return
        }
        Thread.detachNewThread { [self] in
            var clear = ClearPackets()
            Self.read(client) { bytes in
                let sealed = clear.sealed(of: bytes)
                let met = state.withLock { state in
                    if clear.areOver, state.keepsBackSealed { state.keepsBack = true }
                    state.sent += sealed
                    return state.takeMet()
                }
                // Only now: the answer to it may have to be kept back already.
                Self.write(bytes, to: server)
                for one in met { one.set(true) }
                if state.withLock({ state in state.limit.map { state.sent >= $0 } ?? false }) { pass() }
            }
            shutdown(server, Int32(SHUT_WR))
        }
        Thread.detachNewThread { [self] in
            Self.read(server) { bytes in
                let met = state.withLock { state in
                    if state.keepsBack { state.held.append((bytes, client)) } else { Self.write(bytes, to: client) }
                    return state.takeMet()
                }
                for one in met { one.set(true) }
            }
            shutdown(client, Int32(SHUT_RDWR))
        }
    }

    private static func read(_ descriptor: Int32, _ body: ([UInt8]) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 { return }
            body(Array(buffer[..<count]))
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, noSignal) }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    private static func with(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// Reads a client's side of a connection up to its SSH_MSG_NEWKEYS: a line, then packets with their length in front.
private struct ClearPackets {
    private(set) var areOver = false
    private var isPastBanner = false
    private var rest: [UInt8] = []

    /// How many of these bytes are encrypted.
    mutating func sealed(of bytes: [UInt8]) -> Int {
        if areOver { return bytes.count }
        rest += bytes
        if !isPastBanner, let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            isPastBanner = true
            rest.removeFirst(end + 1)
        }
        while isPastBanner, !areOver, rest.count > 5 {
            let length = rest[..<4].reduce(0) { $0 << 8 | Int($1) } + 4
            guard rest.count >= length else { break }
            areOver = rest[5] == 21
            rest.removeFirst(length)
        }
        return areOver ? rest.count : 0
    }
}
