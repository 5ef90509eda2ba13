import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A new folder that only its owner can enter, with a path short enough for a socket in it.
func makeScratchFolder() throws(SystemError) -> String {
    var template = Array("/tmp/deploy-XXXXXX\0".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", "/tmp") }
    return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Removes a scratch folder and the files in it; what cannot be removed stays.
func removeScratchFolder(_ path: String) {
    if let folder = opendir(path) {
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { unlink("\(path)/\(name)") }
        }
        closedir(folder)
    }
    rmdir(path)
}

/// Gives the body a folder of its own, and removes it afterwards.
func withScratchFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let path = try makeScratchFolder()
    defer { removeScratchFolder(path) }
    return try await body(path)
}
