import Dispatch
import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A private Unix socket that a local Nix connects to as if it were a store's daemon.
final class StoreSocket: Sendable {
    /// Each connection that arrives, as a descriptor that the taker closes.
    let connections: AsyncStream<Int32>
    /// Its own, 0700, with a short path: socket paths end at about 100 characters.
    let folder: String
    // Dispatch sources may be cancelled from any thread; only the protocol is not marked so.
    nonisolated(unsafe) private let source: any DispatchSourceProtocol

    var path: String { "\(folder)/s" }

    /// For `nix copy --to`; blanks cannot occur in it.
    var storeURL: String { "unix://\(path)" }

    /// - Throws: ``SystemError``
    init() throws(SystemError) {
        folder = try makeScratchFolder()
        let (connections, continuation) = AsyncStream.makeStream(of: Int32.self)
        self.connections = connections
        do throws(SystemError) {
            source = try StoreSocket.source("\(folder)/s", continuation)
        } catch {
            removeScratchFolder(folder)
            throw error
        }
        source.activate()
    }

    /// Takes no more connections, and removes the socket; those under way go on.
    func stop() {
        source.cancel()
        removeScratchFolder(folder)
    }

    private static func source(
        _ path: String, _ connections: AsyncStream<Int32>.Continuation
    ) throws(SystemError) -> any DispatchSourceProtocol {
        let listener = try listenOnUnixSocket(path)
        let itself = Itself()
        do throws(SystemError) {
            try Descriptor.setNonBlocking(listener)
            let source = try ReadySource.make(listener, .input, queue: DispatchQueue(label: "store")) { @Sendable in
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else {
                    // Out of descriptors, the source would fire for ever: Nix then sees a refused connection.
                    if errno == EMFILE || errno == ENFILE { itself.source?.cancel() }
                    return
                }
                // Fails only for a descriptor that is not open.
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                connections.yield(connection)
            } onCancel: { @Sendable in
                itself.source = nil
                close(listener)
                connections.finish()
            }
            itself.source = source
            return source
        } catch {
            close(listener)
            throw error
        }
    }

    /// The source for its own handlers, which run on one queue; set before the first can.
    private final class Itself: Sendable {
        nonisolated(unsafe) var source: (any DispatchSourceProtocol)?
    }
}
