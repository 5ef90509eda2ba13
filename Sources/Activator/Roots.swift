import Glibc
import Shared

/// Temporary garbage collector roots, so that old and new closure and the agent stay for as long as one of them may be
/// needed.
struct Roots: Sendable {
    let folder: StateFolder
    let nix: Nix

    /// As `nix-store --add-root` numbers them.
    static let names = ["root", "root-2", "root-3", "root-4"]

    /// Holds what the record names. Failing is only said: it matters where a collection runs in the same minutes.
    func hold(_ record: Record, _ events: EventLog) async {
        let wanted =
            [record.previous?.path, record.closure, nix.agentStorePath]
            + (record.policy.kind == .system ? [record.runningSystem] : [])
        let paths = wanted.compactMap { $0.flatMap(nix.storePath) }
        do {
            // Who gave a nonce holds the closure since its copy; else a collection may be under way, which `nix-store` would tell.
            guard isScanned || record.nonce != nil && isRegistered else {
                return try await nix.run(["nix-store", "--realise"] + paths + ["--add-root", folder.path + "root"])
            }
            for name in Self.names.dropFirst(paths.count) { folder.remove(name) }
            // A successor of a guardian finds them there: no moment without them.
            for (name, path) in zip(Self.names, paths) where linkTarget(folder.path + name) != path {
                folder.remove(name)
                guard symlinkat(path, folder.descriptor.raw, name) == 0 else {
                    throw SystemError("symlink", folder.path + name)
                }
            }
        } catch {
            events.send(.warning("the closures are not held against garbage collection: \(error)"))
        }
    }

    func release() { for name in Self.names { folder.remove(name) } }

    /// Nix takes every link below its profiles folder for a root; elsewhere one has to be registered.
    private var isScanned: Bool {
        resolved(folder.path).hasPrefix(resolved(nixStateFolder(nix.environment) + "/profiles") + "/")
    }

    /// Where we have a folder among Nix's roots, our links are told there once and for all, which spares every activation
    /// a process of Nix: what is told holds a link's closure for as long as there is such a link.
    private var isRegistered: Bool {
        guard let own = OwnRoots(nix.environment) else { return false }
        return Self.names.allSatisfy { own.register(folder.path + $0) }
    }
}
