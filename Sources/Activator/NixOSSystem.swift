import Glibc
import Shared

/// A built NixOS system (`config.system.build.toplevel`), by its own folder in the store.
struct NixOSSystem: Sendable, Equatable {
    static let switchName = "bin/switch-to-configuration"
    private static let labelName = "nixos-version"
    /// What `switch-to-configuration` ends with where the new system cannot take over from the running one.
    static let rebootCode: Int32 = 100
    /// What it ends with where some units failed.
    static let partialCode: Int32 = 4

    let path: String

    /// The one that a closure is or wraps; nil if it holds none.
    init?(in closure: String) {
        let names = [Self.labelName, Self.switchName]
        guard let name = names.first(where: { access("\(closure)/\($0)", F_OK) == 0 }) else { return nil }
        // A wrapped closure links to what its base holds.
        let file = resolved("\(closure)/\(name)")
        guard file.hasSuffix("/\(name)") else { return nil }
        path = String(file.dropLast(name.count + 1))
    }

    /// The one that runs, by the link that NixOS keeps; nil where that is missing or leads to something else.
    static func running(link: String = "/run/current-system") -> NixOSSystem? {
        linkTarget(link) == nil ? nil : NixOSSystem(in: resolved(link))
    }

    /// Nil where it has nothing to switch with.
    func words(_ action: String) -> [String]? {
        let program = "\(path)/\(Self.switchName)"
        return isRunnable(program) ? [program, action] : nil
    }

    /// True for itself and for its specialisations, which it can be switched to without being another.
    func includes(_ other: NixOSSystem) -> Bool {
        let folder = "\(path)/specialisation/"
        return other == self || folderEntries(folder).contains { NixOSSystem(in: folder + $0) == other }
    }

    /// True if NixOS itself holds that one cannot switch between the two: they differ in a part that only a reboot
    /// replaces (its option `system.switch.inhibitors`).
    func needsReboot(from running: NixOSSystem) -> Bool {
        guard let ours = inhibitors, let theirs = running.inhibitors else { return false }
        return ours.contains { name, value in theirs[name].map { $0 != value } ?? false }
    }

    private var inhibitors: [String: String]? {
        guard let text = readTextFile("\(path)/switch-inhibitors") else { return nil }
        // Of a form that is not known, nothing can be said.
        return try? JSONLine.decode([String: String].self, from: text)
    }
}

extension NixOSSystem {
    /// True for the profiles that NixOS's boot loaders look at.
    static func isBooted(_ link: ProfileLink, _ environment: [String: String]) -> Bool {
        let profiles = resolved(nixStateFolder(environment) + "/profiles") + "/"
        let folder = resolved(link.folder)
        return folder + "/" == profiles && link.name == "system" || folder == profiles + "system-profiles"
    }
}

extension ProfileStatus.System {
    /// - Parameters:
    ///   - generation: where the profile is
    ///   - before: what ran before the newest activation
    /// - Returns: nil where the generation is no NixOS system or this is no NixOS
    init?(generation: Generation?, before: String?) {
        guard let generation, let ours = NixOSSystem(in: generation.path), let running = NixOSSystem.running() else {
            return nil
        }
        self.init(
            running: running.path, ofGeneration: ours.path,
            isAsRecorded: running.path == before || ours.includes(running))
    }
}
