import Shared

extension NodeFacts {
    /// Sees that the agents that profiles name as installed are there and of this deployer's version.
    ///
    /// - Throws: ``PreflightError/installedAgent(path:found:wanted:)``
    func checkInstalled(_ profiles: [PlannedProfile]) throws(PreflightError) {
        for path in Set(profiles.compactMap(\.agentPath)).sorted() {
            let found = installed[path] ?? ""
            guard found == agentVersion else {
                throw .installedAgent(path: path, found: found, wanted: agentVersion)
            }
        }
    }
}

extension Elevation {
    /// What lets a program that takes no password from us do without one.
    static func rule(_ prefix: [String]) -> String {
        let user = prefix.last ?? "root"
        return program(prefix) == "doas"
            ? "allow it there without a password: `permit nopass <sshUser> as \(user)` in doas.conf; nothing was changed"
            : "allow it there without a password: a polkit rule for org.freedesktop.systemd1.manage-units; nothing was changed"
    }
}
