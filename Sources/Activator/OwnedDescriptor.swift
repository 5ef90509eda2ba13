import Glibc
import Shared
import Synchronization

/// A file descriptor that is closed with its owner, if not before.
final class OwnedDescriptor: Sendable {
    let raw: Int32
    private let isClosed = Mutex(false)

    /// Takes over the descriptor.
    init(_ raw: Int32) { self.raw = raw }

    deinit { close() }

    /// A copy whose number is none of the three that every process has.
    static func highCopy(of raw: Int32) throws(SystemError) -> OwnedDescriptor {
        let copy = fcntl(raw, F_DUPFD_CLOEXEC, 10)
        guard copy >= 0 else { throw SystemError("fcntl") }
        return OwnedDescriptor(copy)
    }

    /// Closes it now; nothing may use it any more.
    func close() {
        isClosed.withLock { isClosed in
            if !isClosed { Glibc.close(raw) }
            isClosed = true
        }
    }

    /// Writes all bytes.
    func write(_ bytes: [UInt8], _ subject: String) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw SystemError("write", subject)
            }
        }
    }

    /// Reads to the end of the file, at most `limit` bytes.
    func read(limit: Int, _ subject: String) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while bytes.count < limit {
            let count = Glibc.read(raw, &buffer, min(buffer.count, limit - bytes.count))
            if count > 0 {
                bytes += buffer[..<count]
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw SystemError("read", subject)
            }
        }
        return bytes
    }
}
