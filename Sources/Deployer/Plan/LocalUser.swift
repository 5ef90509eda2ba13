import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The name of the user who runs us, as deploy-rs's `whoami` gives it; the number where it has no name.
func localUserName(environment: [String: String] = currentEnvironment()) -> String {
    if let entry = getpwuid(geteuid()), let name = entry.pointee.pw_name { return String(cString: name) }
    return environment["USER"] ?? String(geteuid())
}
