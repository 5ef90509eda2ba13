#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif
import Shared

/// True for a regular file, also behind a symbolic link.
func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
}

/// A file's bytes, at most the limit's number; nil if it cannot be read.
func readFile(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
    let raw = open(path, O_RDONLY | O_CLOEXEC)
    guard raw >= 0 else { return nil }
    defer { close(raw) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16384)
    while bytes.count < limit {
        let count = read(raw, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        if count < 0 { return nil }
        if count == 0 { break }
        bytes += buffer[..<count]
    }
    return bytes
}

/// Appends to a file in one write, so that two programs never mix their lines; makes it, for its owner only.
func appendToFile(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
    let raw = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard raw >= 0 else { throw SystemError("open", path) }
    defer { close(raw) }
    let count = bytes.withUnsafeBytes { write(raw, $0.baseAddress, $0.count) }
    guard count >= 0 else { throw SystemError("write", path) }
}

/// Removes a file; that it is not there is fine.
func removeFile(_ path: String) { unlink(path) }
