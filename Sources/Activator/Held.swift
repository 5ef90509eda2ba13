import Glibc
import Shared

/// Garbage collector roots for what was copied but is not activated yet, in a private folder of whoever runs us.
///
/// They end with the activation, whose own ``Roots`` take over, with the next call for the same paths, or after a day.
/// The agent's own stays until one of the latter two: it is what a later look or revocation needs.
struct Held: Sendable {
    /// In seconds: longer than a person leaves a prompt unanswered.
    private static let limit = 24 * 60 * 60

    let nix: Nix

    /// - Throws: ``AgentError/noSuchClosure(_:)`` before anything is done; ``AgentError``, ``SystemError``
    func hold(_ paths: [String]) async throws {
        var wanted: [String] = []
        for path in paths {
            // Nix would ask every cache for one that is not there.
            guard let real = nix.storePath(path) else { throw AgentError.noSuchClosure(path) }
            if !wanted.contains(real) { wanted.append(real) }
        }
        if let agent = nix.agentStorePath, !wanted.contains(agent) { wanted.append(agent) }
        let folder = try StateFolder.make(at: try path())
        let earlier = folderEntries(folder.path)
        // With several paths Nix itself numbers the links. It also sees to it that a collection under way spares them.
        let link = "held-\(try Nonce.random())"
        try await nix.run(["nix-store", "--realise"] + wanted + ["--add-root", folder.path + link])
        for name in earlier where isOld(folder, name) || wanted.contains(linkTarget(folder.path + name) ?? "") {
            folder.remove(name)
        }
    }

    /// Lets go of one path, if it is held.
    func release(_ path: String) {
        // What cannot be let go of now is so after a day.
        guard let real = nix.storePath(path), let place = try? self.path(),
            let folder = (try? StateFolder.find(at: place)) ?? nil
        else { return }
        for name in folderEntries(folder.path) where linkTarget(folder.path + name) == real { folder.remove(name) }
    }

    private func isOld(_ folder: StateFolder, _ name: String) -> Bool {
        var status = stat()
        return lstat(folder.path + name, &status) == 0 && time(nil) - status.st_mtim.tv_sec > Self.limit
    }

    /// Beside Nix's own roots where we may write there; else in our home, from where Nix is told of them.
    private func path() throws(AgentError) -> String {
        let roots = nixStateFolder(nix.environment) + "/gcroots"
        if access(roots, W_OK) == 0 { return "\(roots)/deploy-swift" }
        guard let home = homeFolder(nix.environment) else { throw .noHome(user: "the caller") }
        return "\(home)/.local/state/deploy-swift/held"
    }
}
