import Dispatch
import Shared
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Carries bytes from a socket into a pipe for `ssh` to read, and counts them; on a thread of its own.
///
/// What is in the pipe outlives an `ssh` that was refused a session: the next one reads on.
final class CountedUpload: Sendable {
    /// For the program's standard input.
    let readEnd: Int32
    private let isStopped = Mutex(false)

    /// - Parameter descriptor: a connected stream socket, which stays the caller's
    init(from descriptor: Int32, _ onBytes: @escaping @Sendable (Int) -> Void) throws(SystemError) {
        // The thread may outlive the call by a moment, and so the caller's descriptor.
        let source = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard source >= 0 else { throw SystemError("fcntl") }
        let pipe: (read: Int32, write: Int32)
        do {
            pipe = try Descriptor.pipe()
        } catch {
            close(source)
            throw error
        }
        readEnd = pipe.read
        // A pipe of ours: fcntl cannot fail on it.
        try? Descriptor.setNonBlocking(pipe.write)
        // A program may end without reading all: a broken pipe is then an error number, not our death.
        signal(SIGPIPE, SIG_IGN)
        DispatchQueue(label: "upload").async { @Sendable [self] in
            carry(source, pipe.write, onBytes)
            close(pipe.write)
            close(source)
        }
    }

    deinit { close(readEnd) }

    /// Ends the thread soon, whatever it waits for.
    func stop() { isStopped.withLock { $0 = true } }

    private func carry(_ descriptor: Int32, _ pipe: Int32, _ onBytes: (Int) -> Void) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while wait(descriptor, POLLIN) {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            if count <= 0 { return }
            guard pass(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: pipe) else { return }
            onBytes(count)
        }
    }

    private func pass(_ bytes: UnsafeRawBufferPointer, to pipe: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = write(pipe, rest.baseAddress, rest.count)
            if count > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if errno == EAGAIN {
                guard wait(pipe, POLLOUT) else { return false }
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    /// Waits until the descriptor is ready; false once it is time to stop.
    private func wait(_ descriptor: Int32, _ event: Int32) -> Bool {
        while !isStopped.withLock({ $0 }) {
            var poll = pollfd(fd: descriptor, events: Int16(event), revents: 0)
            if systemPoll(&poll, 1, 100) > 0 { return true }
        }
        return false
    }
}
