import Glibc
import Shared

/// Temporary garbage collector roots, so that old and new closure and the agent stay for as long as one of them may be
/// needed.
struct Roots: Sendable {
    let folder: StateFolder
    let nix: Nix

    private static let names = ["root-old", "root-new", "root-agent"]

    /// Holds what the record names. Failing is only said: it matters where a collection runs in the same minutes.
    func hold(_ record: Record, _ events: EventLog) async {
        release()
        let paths = [record.previous?.path, record.closure, agentStorePath].map { $0.map(resolved) }
        do {
            for case (let name, let path?) in zip(Self.names, paths) where access(path, F_OK) == 0 {
                if isScanned {
                    guard symlinkat(path, folder.descriptor.raw, name) == 0 else {
                        throw SystemError("symlink", folder.path + name)
                    }
                } else {
                    try await nix.run(["nix-store", "--realise", path, "--add-root", folder.path + name])
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

    private var agentStorePath: String? {
        let store = nix.environment["NIX_STORE_DIR"] ?? "/nix/store"
        guard let agent = linkTarget("/proc/self/exe"), agent.hasPrefix(store + "/") else { return nil }
        return store + "/" + agent.dropFirst(store.count + 1).prefix { $0 != "/" }
    }
}
