import CSystem
import Dispatch
import Shared
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A child process whose standard input and output are the way to a server.
final class ProxyChild: Sendable {
    private let process: LocalProcess
    private let errors: ErrorTail

    /// The last of what a program wrote to its standard error.
    final class ErrorTail: Sendable {
        private let bytes = Mutex<[UInt8]>([])

        func add(_ more: [UInt8]) { bytes.withLock { $0 = ($0 + more).suffix(8192) } }
        var text: String { trimmed(String(decoding: bytes.withLock { $0 }, as: UTF8.self)) }
    }

    private init(_ process: LocalProcess, _ errors: ErrorTail) {
        self.process = process
        self.errors = errors
    }

    /// Starts the program on one end of a socket pair; the other, non-blocking, is the caller's.
    ///
    /// - Parameter usesTerminal: leaves it in our process group, so that it can ask for a password
    static func start(
        _ words: [String], environment: [String: String], usesTerminal: Bool
    ) throws -> (child: ProxyChild, socket: Int32) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, streamType, 0, &ends) == 0 else { throw SystemError("socketpair") }
        defer { close(ends[1]) }
        let ours = ends[0]
        do {
            setCloseOnExec(ends)
            try Descriptor.setNonBlocking(ours)
            var command = LocalCommand(words, environment: environment)
            command.input = .descriptor(ends[1])
            command.output = .descriptor(ends[1])
            command.grouping = usesTerminal ? .ours : .ownSession
            let errors = ErrorTail()
            let process = try LocalProcess.start(command) { @Sendable stream, bytes in
                if stream == .errorOutput { errors.add(bytes) }
            }
            return (ProxyChild(process, errors), ours)
        } catch {
            close(ours)
            throw error
        }
    }

    /// Ends it, if it does not do so by itself at once, and gives the last line of its standard error; nil if none.
    func lastComplaint() async -> String? {
        let grace = DispatchWorkItem { @Sendable [self] in end() }
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(500), execute: grace)
        _ = await process.exit()
        grace.cancel()
        return lastLines(1, of: errors.text).first { !$0.isEmpty }
    }

    func end() { process.terminate() }
}

#if canImport(Glibc)
    private let streamType = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
#else
    private let streamType = SOCK_STREAM
#endif

private func setCloseOnExec(_ descriptors: [Int32]) {
    // Fails only for a descriptor that is not open.
    for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
}
