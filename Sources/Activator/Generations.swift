import Glibc
import Shared

/// Moves a profile between generations, through Nix. Nothing is ever deleted.
struct Generations: Sendable {
    let link: ProfileLink
    let nix: Nix

    /// Points the profile to the closure.
    ///
    /// - Returns: the generation, and whether Nix made a new one: it compares with the highest one, so an old one may
    ///   come back
    func set(_ closure: String) async throws -> (generation: Generation, isNew: Bool) {
        let before = link.generations()
        try await nix.env(link, ["--set", closure])
        guard let generation = try link.generation() else {
            throw AgentError.linkMoved(link: link.path, expected: closure, found: "nothing")
        }
        return (generation, generation.number.map { before[$0] == nil } ?? false)
    }

    /// Points the profile back to a recorded generation: by its number if that still is what it was, else by its path.
    ///
    /// - Parameter target: what the link said, for one that no number names
    func restore(_ generation: Generation, target: String?) async throws {
        if let number = generation.number {
            if linkTarget(link.link(ofGeneration: number)) == generation.path {
                try await nix.env(link, ["--switch-generation", String(number)])
            } else {
                try await nix.env(link, ["--set", generation.path])
            }
        } else {
            try replaceLink(target ?? generation.path)
        }
        let found = try link.generation()
        guard found?.path == generation.path else {
            throw AgentError.linkMoved(link: link.path, expected: generation.text, found: text(found))
        }
    }

    /// Takes the profile's link away; its generations stay.
    func removeLink() throws {
        guard unlink(link.path) == 0 || errno == ENOENT else { throw SystemError("unlink", link.path) }
    }

    private func replaceLink(_ target: String) throws {
        let temporary = "\(link.folder).\(link.name).deploy-swift"
        unlink(temporary)
        guard symlink(target, temporary) == 0 else { throw SystemError("symlink", temporary) }
        guard rename(temporary, link.path) == 0 else { throw SystemError("rename", link.path) }
    }
}
