import CSystem
import Dispatch
import Glibc
import Shared

// Dispatch's objects may be used from any thread; only their protocol does not say so.
/// Calls back whenever a descriptor can be read, and empties it before: for timers and inotify, whose content is not
/// needed.
final class ReadSource: @unchecked Sendable {
    private let source: any DispatchSourceRead

    /// Takes over the descriptor, which must be non-blocking.
    init(_ raw: Int32, queue: DispatchQueue = .global(), onReadable: @escaping @Sendable () -> Void) {
        source = DispatchSource.makeReadSource(fileDescriptor: raw, queue: queue)
        source.setEventHandler { @Sendable in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while read(raw, &buffer, buffer.count) > 0 {}
            onReadable()
        }
        source.setCancelHandler { @Sendable in close(raw) }
        source.activate()
    }

    deinit { source.cancel() }
}

/// Nanoseconds since boot; counts while the machine sleeps, and no one can set it.
func bootTime() -> Int64 { shim_boottime_now() }

/// Fires once after a time on the clock that counts since boot, unless dropped before.
final class BootTimer: Sendable {
    private let source: ReadSource?

    init(after time: Duration, _ action: @escaping @Sendable () -> Void) {
        let parts = time.components
        let raw = shim_boottime_timer(parts.seconds, parts.attoseconds / 1_000_000_000)
        if raw >= 0 {
            source = ReadSource(raw, onReadable: action)
        } else {
            // No descriptor left: better a timer that does not count sleep than none. It may fire after being dropped.
            source = nil
            DispatchQueue.global().asyncAfter(deadline: .now() + time.seconds, execute: action)
        }
    }
}

/// Wakes its one reader when names in folders or the content of a file may have changed, at once to begin with, and when
/// poked.
///
/// A wake says only "look again"; what counts is what is then found. Without inotify it wakes every 100 ms.
final class ChangeWatch: Sendable {
    let wakes: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    /// - Parameter folders: absolute paths
    convenience init(folders: [String]) { self.init(folders, shim_inotify_watch_names) }

    convenience init(_ folder: StateFolder) { self.init(folders: [folder.watchPath]) }

    convenience init(contentOf file: OwnedDescriptor) {
        self.init(["/proc/self/fd/\(file.raw)"], shim_inotify_watch_content)
    }

    private init(_ paths: [String], _ add: (Int32, UnsafePointer<CChar>) -> Int32) {
        let (wakes, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.wakes = wakes
        self.continuation = continuation
        if let source = Self.watch(paths, add, { @Sendable in continuation.yield() }) {
            // The source lives as long as the stream has a reader, whoever still holds this object.
            continuation.onTermination = { @Sendable _ in withExtendedLifetime(source) {} }
        } else {
            Self.tick(continuation)
        }
        continuation.yield()
    }

    /// Ends the waiting of the reader's current turn.
    func poke() { continuation.yield() }

    private static func watch(
        _ paths: [String], _ add: (Int32, UnsafePointer<CChar>) -> Int32, _ action: @escaping @Sendable () -> Void
    ) -> ReadSource? {
        let raw = shim_inotify_open()
        guard raw >= 0 else { return nil }
        for path in paths where add(raw, path) < 0 {
            close(raw)
            return nil
        }
        return ReadSource(raw, queue: OneThread.queue, onReadable: action)
    }

    private static func tick(_ continuation: AsyncStream<Void>.Continuation) {
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(100)) { @Sendable in
            if case .terminated = continuation.yield() { return }
            tick(continuation)
        }
    }
}

extension StateFolder {
    /// A path to this very folder, whatever its name leads to meanwhile.
    var watchPath: String { "/proc/self/fd/\(descriptor.raw)" }
}
