#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Our environment, by name; of a name that occurs twice, the first value.
public func currentEnvironment() -> [String: String] {
    var result: [String: String] = [:]
    var entry = environ
    while let pointer = entry.pointee {
        let text = String(cString: pointer)
        if let split = text.firstIndex(of: "=") {
            let name = String(text[..<split])
            if result[name] == nil { result[name] = String(text[text.index(after: split)...]) }
        }
        entry += 1
    }
    return result
}

/// The executable that a shell with this PATH would run; nil if there is none.
///
/// - Parameter program: a name, or a path (any word with a slash), which is taken as it is
public func locateProgram(_ program: String, path: String?) -> String? {
    if program.utf8.contains(UInt8(ascii: "/")) { return isRunnable(program) ? program : nil }
    if program.isEmpty { return nil }
    for folder in (path ?? "/usr/bin:/bin").split(separator: ":") {
        let candidate = "\(folder)/\(program)"
        if isRunnable(candidate) { return candidate }
    }
    return nil
}
