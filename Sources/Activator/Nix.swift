import Glibc
import Shared

/// Nix's own programs on this node, and the environment that they and activation scripts get: ours, with a PATH that
/// has them, and with the way to the user's own services.
struct Nix: Sendable {
    let environment: [String: String]

    /// Where Nix is looked for after PATH.
    static func usualFolders(_ environment: [String: String]) -> [String] {
        let home = homeFolder(environment).map { ["\($0)/.nix-profile/bin", "\($0)/.local/state/nix/profile/bin"] }
        return ["/run/current-system/sw/bin", "/nix/var/nix/profiles/default/bin"] + (home ?? [])
            + ["/usr/local/bin", "/usr/bin", "/bin"]
    }

    init(_ environment: [String: String]) {
        var environment = UserSession.completed(environment)
        let path = environment["PATH"].flatMap { $0.isEmpty ? nil : $0 } ?? "/usr/bin:/bin"
        environment["PATH"] = path
        if locateProgram("nix-env", path: path) == nil {
            let folder = Self.usualFolders(environment).first { isRunnable("\($0)/nix-env") }
            if let folder { environment["PATH"] = "\(path):\(folder)" }
        }
        self.environment = environment
    }

    /// Runs `nix-env -p LINK …`, noted for a successor: one that outlives its guardian would move the profile after
    /// the rollback.
    ///
    /// - Throws: ``AgentError/toolFailed(_:_:text:)``, ``AgentError/toolMissing(_:)``, ``AgentError/deadLock(_:)``
    func env(_ link: ProfileLink, _ words: [String]) async throws {
        try NixProfileLock.removeDead(of: link)
        try await run(["nix-env", "-p", link.path] + words, RunningScript(beside: link).grouping)
    }

    /// Runs one of Nix's programs to its end.
    func run(_ words: [String], _ grouping: LocalCommand.Grouping = .ownGroup) async throws {
        var command = LocalCommand(words, environment: environment)
        command.grouping = grouping
        let result: LocalResult
        do {
            // Another nix-env may hold the profile's own lock; nobody waits for that for ever.
            result = try await command.run(outputLimit: 64 << 10, timeLimit: .seconds(StandardLimits.link))
        } catch LocalCommandError.notFound(let program) {
            throw AgentError.toolMissing(program)
        }
        guard result.exit.isSuccess else {
            let ended = "ended after \(StandardLimits.link) s"
            let text = result.timedOut ? ended : lastLines(5, of: result.errorText).joined(separator: " ")
            throw AgentError.toolFailed(words.joined(separator: " "), result.exit, text: text)
        }
    }
}

extension Nix {
    /// The path in the store that this one leads to or lies in; nil if it leads elsewhere or nowhere.
    func storePath(_ path: String) -> String? {
        let store = resolved(environment["NIX_STORE_DIR"] ?? "/nix/store") + "/"
        let real = resolved(path)
        guard real.hasPrefix(store), access(real, F_OK) == 0 else { return nil }
        return store + real.dropFirst(store.count).prefix { $0 != "/" }
    }

    /// Our own, where we were started from the store.
    var agentStorePath: String? { linkTarget("/proc/self/exe").flatMap(storePath) }
}
