import Dispatch

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

// Confined to the serial queue it is made with: every method but init runs there.
/// Reads one pipe to its end on a serial queue.
final class PipeReader: @unchecked Sendable {
    private let raw: Int32
    private let source: PipeSource
    private let onBytes: @Sendable ([UInt8]) -> Void
    private var isFinished = false

    /// Takes over the descriptor.
    init(_ raw: Int32, queue: DispatchQueue, onBytes: @escaping @Sendable ([UInt8]) -> Void) {
        self.raw = raw
        self.onBytes = onBytes
        source = PipeSource(raw, .input, queue)
        source.start { @Sendable [weak self] in self?.drain() }
    }

    /// Reads what is there, as much as a pipe can hold at most, and closes, whoever still holds or fills the other end.
    func finish() {
        var rest = 1 << 20
        while rest > 0, let count = readOnce() { rest -= count }
        stop()
    }

    /// One buffer for each wake-up: whoever writes without a pause must not keep the program's end waiting behind it.
    private func drain() { _ = readOnce() }

    /// - Returns: how many bytes were there; nil if none
    private func readOnce() -> Int? {
        guard !isFinished else { return nil }
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(raw, &buffer, buffer.count)
            if count > 0 {
                onBytes(Array(buffer[..<count]))
                return count
            }
            if count < 0 && errno == EINTR { continue }
            if count == 0 || errno != EAGAIN { stop() }
            return nil
        }
    }

    private func stop() {
        guard !isFinished else { return }
        isFinished = true
        source.cancel()
    }
}

// Confined to the serial queue it is made with: every method but init runs there.
/// Writes bytes into a pipe on a serial queue, then closes it.
final class PipeWriter: @unchecked Sendable {
    private let raw: Int32
    private let source: PipeSource
    private var bytes: ArraySlice<UInt8>
    private var isFinished = false

    /// Takes over the descriptor.
    init(_ raw: Int32, queue: DispatchQueue, bytes: [UInt8]) {
        self.raw = raw
        self.bytes = bytes[...]
        // A program may end without reading all: a broken pipe is then an error number, not our death.
        signal(SIGPIPE, SIG_IGN)
        source = PipeSource(raw, .output, queue)
        source.start { @Sendable [weak self] in self?.fill() }
    }

    func finish() {
        guard !isFinished else { return }
        isFinished = true
        source.cancel()
    }

    private func fill() {
        guard !isFinished else { return }
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(raw, $0.baseAddress, $0.count) }
            if count > 0 {
                bytes = bytes.dropFirst(count)
            } else if errno != EINTR {
                return errno == EAGAIN ? () : finish()
            }
        }
        finish()
    }
}

// Confined to its queue, as its two users are.
/// Calls while our end of a pipe is ready, and closes it when cancelled.
private final class PipeSource: @unchecked Sendable {
    private let raw: Int32
    private let direction: ReadySource.Direction
    private let queue: DispatchQueue
    private var source: (any DispatchSourceProtocol)?
    private var isCancelled = false

    init(_ raw: Int32, _ direction: ReadySource.Direction, _ queue: DispatchQueue) {
        self.raw = raw
        self.direction = direction
        self.queue = queue
        // A pipe of ours: fcntl cannot fail on it.
        try? Descriptor.setNonBlocking(raw)
    }

    func start(_ onReady: @escaping @Sendable () -> Void) {
        let raw = raw
        do {
            source = try ReadySource.make(raw, direction, queue: queue, onReady: onReady) { @Sendable in close(raw) }
            source?.activate()
        } catch {
            // No descriptor left to wait with: look again and again instead.
            tick(onReady)
        }
    }

    func cancel() {
        guard !isCancelled else { return }
        isCancelled = true
        if let source { source.cancel() } else { close(raw) }
    }

    private func tick(_ onReady: @escaping @Sendable () -> Void) {
        queue.asyncAfter(deadline: .now() + .milliseconds(20)) { @Sendable [weak self] in
            guard let self, !isCancelled else { return }
            onReady()
            tick(onReady)
        }
    }
}
