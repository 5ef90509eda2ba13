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
        if connection.store.ways.first == .ssh {
            return try await realise(derivations, of: profiles, on: connection, node)
        }
        try await copier.withStore(of: connection, node) { store in
            try await builder.buildRemotely(derivations, of: profiles, in: store, node: node, console)
        }
    }

    /// Has the node's own `nix-store` build, since Nix asks for no builds over `ssh://`.
    ///
    /// A build that is left, since the deploy was interrupted, goes on to its end there.
    private func realise(
        _ derivations: [Derivation], of profiles: [PlannedProfile], on connection: ReadyConnection, _ node: NodeName
    ) async throws {
        let words = connection.store.realiseWords(derivations)
        console.tell(.debug, "running \(shellQuoted(words)) there", node: node)
        let relay = LineRelay { [console] in console.relay($0.text, from: "nix-store", node: node, weight: $0.weight) }
        let process = try await connection.login.remote().start(words, input: .none)
        for try await piece in process.output {
            if case .stderr(let bytes) = piece { relay.add(bytes) }
        }
        let exit = try await process.exit()
        let lines = relay.finish(hasFailed: !exit.isSuccess)
        guard exit.isSuccess else { throw BuildError.failedThere(profiles.map(\.label), exit, lines) }
    }
}

extension Builder {
    /// The command line of a build in another store; what the user adds may be about flakes.
    func remoteBuildWords(_ derivations: [Derivation], store: String) -> [String] {
        ["nix"] + Nix.forcedFeatures + ["build", "--no-link", "--store", store]
            + ["--eval-store", "auto"] + Installables.build(derivations, nix.version) + extraArguments
    }

    fileprivate func buildRemotely(
        _ derivations: [Derivation], of profiles: [PlannedProfile], in store: ServedStore, node: NodeName,
        _ console: Console
    ) async throws {
        var remote = self
        remote.nix.environment = store.environment(nix.environment)
        remote.onLine = { console.relay($0.text, from: "nix", node: node, weight: $0.weight) }
        remote.onCounts = { console.report(.counted($0, Activity(.remoteBuild, node: node))) }
        do {
            _ = try await remote.nix.follow(
                remoteBuildWords(derivations, store: store.url), onLine: remote.onLine, onCounts: remote.onCounts)
        } catch NixError.failed(let failure) {
            throw BuildError.buildFailed(profiles.map(\.label), failure)
        }
    }
}
