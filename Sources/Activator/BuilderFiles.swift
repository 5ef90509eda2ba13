import Glibc
import Shared

/// The few file operations of the builders; every error names the call and the path.
enum BuilderFiles {
    static func read(_ path: String) throws(SystemError) -> [UInt8] {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { throw SystemError("open", path) }
        defer { close(raw) }
        var bytes: [UInt8] = []
        while let piece = try readPiece(raw, path) { bytes += piece }
        return bytes
    }

    /// Makes a file with these bytes; it must not exist.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(SystemError) {
        let raw = try create(path, mode)
        defer { close(raw) }
        try writeAll(bytes[...], raw, path)
    }

    /// Copies a file's bytes into a new file.
    static func copy(_ source: String, to path: String, mode: mode_t) throws(SystemError) {
        let from = open(source, O_RDONLY | O_CLOEXEC)
        guard from >= 0 else { throw SystemError("open", source) }
        defer { close(from) }
        let to = try create(path, mode)
        defer { close(to) }
        while let piece = try readPiece(from, source) { try writeAll(piece, to, path) }
    }

    static func makeFolder(_ path: String) throws(SystemError) {
        guard mkdir(path, 0o755) == 0 else { throw SystemError("mkdir", path) }
    }

    static func link(_ path: String, to target: String) throws(SystemError) {
        guard symlink(target, path) == 0 else { throw SystemError("symlink", path) }
    }

    /// True for a folder and for a link to one.
    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// True for whatever lies there, even a link to nothing.
    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// The names in a folder, sorted, without `.` and `..`.
    static func names(in folder: String) throws(SystemError) -> [String] {
        guard let stream = opendir(folder) else { throw SystemError("opendir", folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw SystemError("readdir", folder) }
        return names.sorted()
    }

    private static func create(_ path: String, _ mode: mode_t) throws(SystemError) -> Int32 {
        let raw = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard raw >= 0 else { throw SystemError("open", path) }
        return raw
    }

    /// The next bytes, at most 1 MiB; nil at the end.
    private static func readPiece(_ raw: Int32, _ path: String) throws(SystemError) -> ArraySlice<UInt8>? {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = Glibc.read(raw, &buffer, buffer.count)
            if count > 0 { return buffer[..<count] }
            if count == 0 { return nil }
            let error = SystemError("read", path)
            if error.number != EINTR { throw error }
        }
    }

    private static func writeAll(_ bytes: ArraySlice<UInt8>, _ raw: Int32, _ path: String) throws(SystemError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else {
                let error = SystemError("write", path)
                if error.number != EINTR { throw error }
            }
        }
    }
}
