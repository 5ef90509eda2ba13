import Glibc
import Shared

/// A built NixOS system (`config.system.build.toplevel`), by its own folder in the store.
struct NixOSSystem: Sendable, Equatable {
    static let switchName = "bin/switch-to-configuration"
    /// What `switch-to-configuration` ends with where the new system cannot take over from the running one.
    static let rebootCode: Int32 = 100
    /// What it ends with where some units failed.
    static let partialCode: Int32 = 4

    let path: String

    /// The one that a closure is or wraps; nil if it holds none.
    init?(in closure: String) {
        guard isRunnable("\(closure)/\(Self.switchName)") else { return nil }
        let program = resolved("\(closure)/\(Self.switchName)")
        // A wrapped closure links to the folders of its base.
        let parts = program.split(separator: "/").dropLast(2)
        path = "/" + parts.joined(separator: "/")
    }

    /// The one that runs, by the link that NixOS keeps; nil where that is missing or leads to something else.
    static func running(link: String = "/run/current-system") -> NixOSSystem? {
        linkTarget(link) == nil ? nil : NixOSSystem(in: resolved(link))
    }

    func words(_ action: String) -> [String] { ["\(path)/\(Self.switchName)", action] }

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
