import Glibc
import Shared

/// What tells NixOS systems apart.
enum NixOSSystem {
    static let current = "/run/current-system"

    /// The store path of the system that this path leads to, past a wrapper; nil if it leads to none.
    static func path(_ path: String) -> String? {
        let label = "\(path)/nixos-version"
        guard access(label, F_OK) == 0 else { return nil }
        return String(resolved(label).dropLast("/nixos-version".count))
    }

    /// A system and those that it can be switched to without being another.
    fileprivate static func variants(of system: String) -> [String] {
        let folder = "\(system)/specialisation/"
        return [system] + folderEntries(folder).compactMap { path(folder + $0) }
    }
}

extension ProfileStatus.System {
    /// - Parameters:
    ///   - generation: where the profile is
    ///   - before: what ran before the newest activation
    /// - Returns: nil where the generation is no NixOS system or this is no NixOS
    init?(generation: Generation?, before: String?) {
        guard let generation, let ours = NixOSSystem.path(generation.path),
            let running = NixOSSystem.path(NixOSSystem.current)
        else { return nil }
        self.init(
            running: running, ofGeneration: ours,
            isAsRecorded: running == before || NixOSSystem.variants(of: ours).contains(running))
    }
}
