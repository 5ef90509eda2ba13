import Dispatch
import Shared
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Reads lines of a descriptor, and not one byte more: what follows is for whoever reads next.
struct PromptInput: Sendable {
    /// Standard input, whether a terminal, a pipe or a file.
    var descriptor: Int32 = STDIN_FILENO
    /// Bytes of a line; of a longer one this is all that is read.
    var limit = 4096

    /// The next line without its line feed; nil at the end of input.
    ///
    /// - Throws: ``SystemError``; `CancellationError` within 100 ms
    func readLine() async throws -> String? {
        let isCancelled = Mutex(false)
        let result = await withTaskCancellationHandler {
            // It blocks, so it has a queue of its own.
            await withCheckedContinuation { continuation in
                DispatchQueue(label: "prompt").async { @Sendable in
                    continuation.resume(returning: Result { try read { isCancelled.withLock { $0 } } })
                }
            }
        } onCancel: {
            isCancelled.withLock { $0 = true }
        }
        return try result.get()
    }

    private func read(_ isCancelled: () -> Bool) throws -> String? {
        var line: [UInt8] = []
        while line.count < limit {
            if isCancelled() { throw CancellationError() }
            var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&watched, 1, 100)
            if ready == 0 || ready < 0 && errno == EINTR { continue }
            var byte: UInt8 = 0
            let count = Self.read(descriptor, &byte)
            if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
            if count < 0 { throw SystemError("read", "standard input") }
            if count == 0 { return line.isEmpty ? nil : String(decoding: line, as: UTF8.self) }
            if byte == UInt8(ascii: "\n") { break }
            line.append(byte)
        }
        return String(decoding: line, as: UTF8.self)
    }

    private static func read(_ descriptor: Int32, _ byte: inout UInt8) -> Int {
        #if canImport(Glibc)
            Glibc.read(descriptor, &byte, 1)
        #else
            Darwin.read(descriptor, &byte, 1)
        #endif
    }
}
