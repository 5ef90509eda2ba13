#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Who runs this program, where.
struct LocalAccount: Sendable {
    let id: UInt32
    let name: String
    let home: String
    let machine: String

    /// The account of this process; where it has none, what the environment says.
    init(environment: [String: String]) {
        id = getuid()
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16384)
        if getpwuid_r(id, &entry, &buffer, buffer.count, &found) == 0, found != nil {
            name = String(cString: entry.pw_name)
            home = String(cString: entry.pw_dir)
        } else {
            name = environment["USER"] ?? "\(id)"
            home = environment["HOME"] ?? "/"
        }
        var host = [CChar](repeating: 0, count: 256)
        machine =
            gethostname(&host, host.count - 1) == 0
            ? String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "localhost"
    }
}
