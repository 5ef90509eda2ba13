import Dispatch
import Shared

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A private Unix socket that a local Nix connects to as if it were a store's daemon.
final class StoreSocket: Sendable {
    /// Each connection that arrives, as a descriptor that the taker closes.
    let connections: AsyncStream<Int32>
    private let folder: String
    // Dispatch sources may be cancelled from any thread; only the protocol is not marked so.
    nonisolated(unsafe) private let source: any DispatchSourceRead

    /// For `nix copy --to`; blanks cannot occur in it.
    var storeURL: String { "unix://\(folder)/s" }

    /// Makes a folder of its own, 0700, with a short path: socket paths end at about 100 characters.
    ///
    /// - Throws: ``SystemError``
    init() throws(SystemError) {
        folder = try makeScratchFolder()
        let listener: Int32
        do {
            listener = try StoreSocket.listener("\(folder)/s")
        } catch {
            removeScratchFolder(folder)
            throw error
        }
        let (connections, continuation) = AsyncStream.makeStream(of: Int32.self)
        self.connections = connections
        source = DispatchSource.makeReadSource(fileDescriptor: listener, queue: .global())
        nonisolated(unsafe) let listening = source
        source.setEventHandler { @Sendable in
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else {
                // Out of descriptors, the source would fire for ever: Nix then sees a refused connection.
                if errno == EMFILE || errno == ENFILE { listening.cancel() }
                return
            }
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            continuation.yield(connection)
        }
        source.setCancelHandler { @Sendable in
            close(listener)
            continuation.finish()
        }
        source.activate()
    }

    /// Takes no more connections, and removes the socket; those under way go on.
    func stop() {
        source.cancel()
        removeScratchFolder(folder)
    }

    private static func listener(_ path: String) throws(SystemError) -> Int32 {
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw SystemError("socket") }
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(listener, 64) == 0 else {
            let error = SystemError("bind", path)
            close(listener)
            throw error
        }
        return listener
    }
}
