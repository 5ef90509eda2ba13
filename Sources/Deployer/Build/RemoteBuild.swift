import Shared

/// Builds derivations on a node: they are copied there, and what comes out stays there.
struct RemoteBuild: Sendable {
    let copier: Copier
    let builder: Builder
    let console: Console

    /// - Throws: ``BuildError``, ``CopyError``, ``SSHError``
    func run(
        _ derivations: [Derivation], of profiles: [PlannedProfile], on connection: ReadyConnection, _ node: NodeName
    ) async throws {
        let usesSubstitutes = profiles.contains { !$0.fastConnection }
        try await copier.copyDerivations(
            derivations.map(\.path), to: connection, node: node, usesSubstitutes: usesSubstitutes)
        try await copier.withStore(of: connection) { store in
            try await builder.buildRemotely(derivations, of: profiles, in: store, node: node, console)
        } onBytes: { _ in
        }
    }
}

extension Builder {
    /// The command line of a build in another store; what the user adds may be about flakes.
    func remoteBuildWords(_ derivations: [Derivation], store: String) -> [String] {
        ["nix", "--extra-experimental-features", "nix-command flakes", "build", "--no-link", "--store", store]
            + ["--eval-store", "auto"] + Installables.build(derivations, nix.version) + extraArguments
    }

    fileprivate func buildRemotely(
        _ derivations: [Derivation], of profiles: [PlannedProfile], in store: String, node: NodeName, _ console: Console
    ) async throws {
        var remote = self
        remote.nix.environment = Copier.environment(nix.environment)
        remote.onLine = { console.relay($0.text, from: "nix", node: node, weight: $0.weight) }
        remote.onCounts = { console.report(.counted($0, Activity(.remoteBuild, node: node))) }
        do {
            _ = try await remote.nix.follow(
                remoteBuildWords(derivations, store: store), onLine: remote.onLine, onCounts: remote.onCounts)
        } catch NixError.failed(let failure) {
            throw BuildError.buildFailed(profiles.map(\.label), failure)
        }
    }
}
