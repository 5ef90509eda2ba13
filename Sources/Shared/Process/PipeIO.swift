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
    private let source: any DispatchSourceRead
    private let onBytes: @Sendable ([UInt8]) -> Void
    private var isFinished = false

    /// Takes over the descriptor.
    init(_ raw: Int32, queue: DispatchQueue, onBytes: @escaping @Sendable ([UInt8]) -> Void) {
        self.raw = raw
        self.onBytes = onBytes
        // A pipe of ours: fcntl cannot fail on it.
        try? Descriptor.setNonBlocking(raw)
        source = DispatchSource.makeReadSource(fileDescriptor: raw, queue: queue)
        source.setEventHandler { @Sendable [weak self] in self?.drain() }
        source.setCancelHandler { @Sendable in close(raw) }
        source.activate()
    }

    /// Reads what is there and closes, whoever still holds the other end.
    func finish() {
        drain()
        stop()
    }

    private func drain() {
        guard !isFinished else { return }
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(raw, &buffer, buffer.count)
            if count > 0 {
                onBytes(Array(buffer[..<count]))
            } else if count == 0 {
                return stop()
            } else if errno != EINTR {
                return errno == EAGAIN ? () : stop()
            }
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
    private let source: any DispatchSourceWrite
    private var bytes: ArraySlice<UInt8>
    private var isFinished = false

    /// Takes over the descriptor.
    init(_ raw: Int32, queue: DispatchQueue, bytes: [UInt8]) {
        self.raw = raw
        self.bytes = bytes[...]
        // A program may end without reading all: a broken pipe is then an error number, not our death.
        signal(SIGPIPE, SIG_IGN)
        // A pipe of ours: fcntl cannot fail on it.
        try? Descriptor.setNonBlocking(raw)
        source = DispatchSource.makeWriteSource(fileDescriptor: raw, queue: queue)
        source.setEventHandler { @Sendable [weak self] in self?.fill() }
        source.setCancelHandler { @Sendable in close(raw) }
        source.activate()
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
