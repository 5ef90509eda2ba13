import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension Builder {
    /// Sees that a profile's closure is there and can be activated.
    func inspect(_ profile: PlannedProfile) throws(BuildError) {
        let path = profile.path
        guard exists(path) else { throw .missing(profile.label, path: path) }
        // A plain NixOS system needs no script of ours.
        if !exists("\(path)/deploy-rs-activate"), isRunnable("\(path)/bin/switch-to-configuration") { return }
        guard isRunnable("\(path)/deploy-rs-activate") else {
            throw .notActivatable(profile.label, path: path, wrapper: wrapper(for: path))
        }
    }

    /// The library function that such a closure is for.
    private func wrapper(for path: String) -> String {
        if exists("\(path)/home-path") { return "home-manager" }
        return "custom"
    }
}

func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
