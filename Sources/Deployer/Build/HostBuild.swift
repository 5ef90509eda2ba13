import Shared

/// Builds closures on a third machine, and sends them from there to their node; nothing of them stays here.
struct HostBuild: Sendable {
    let preflight: Preflight
    let copier: Copier
    let builder: Builder
    let console: Console
    /// File with the secret key that signs what was built; unsigned if nil.
    let signingKey: String?

    /// - Parameter target: the node's connection that takes the closures
    /// - Throws: ``BuildError``, ``CopyError``, ``SSHError``, ``PreflightError``
    func run(_ profiles: [PlannedProfile], on host: Destination, for target: ReadyConnection, _ node: NodeName)
        async throws
    {
        let activity = Activity(.remoteBuild, node: node)
        let machine = try await console.during(activity) { try await preflight.connect(host, []).connection }
        do {
            // Before it builds for long: over `ssh://` Nix signs nothing, and the key does not leave this machine.
            if signingKey != nil, machine.store.ways.first == .ssh { throw BuildError.noSigningThere("\(host)") }
            try await console.during(activity, "building on \(host)") {
                try await build(profiles, on: machine, node)
            }
            try await console.during(Activity(.copy, node: node), "copying from \(host)") {
                try await send(profiles, from: machine, to: target, node)
            }
        } catch {
            await machine.login.close()
            throw error
        }
        await machine.login.close()
    }

    /// Builds them in that machine's store, and signs them there.
    private func build(_ profiles: [PlannedProfile], on machine: ReadyConnection, _ node: NodeName) async throws {
        let remote = RemoteBuild(copier: copier, builder: builder, console: console)
        let derivations = Installables.merged(profiles.flatMap(\.derivations))
        try await remote.run(derivations, of: profiles, on: machine, node)
        guard let signingKey else { return }
        try await copier.withStore(of: machine, node) { store in
            try await builder.sign(profiles, key: signingKey, in: store)
        }
    }

    private func send(
        _ profiles: [PlannedProfile], from machine: ReadyConnection, to target: ReadyConnection, _ node: NodeName
    ) async throws {
        try await copier.copy(
            Set(profiles.map(\.path)).sorted(), from: machine.copySource, to: target, node: node,
            usesSubstitutes: !profiles.contains(where: \.fastConnection))
    }
}

extension ReadyConnection {
    /// URL of its store as a source, over the system's `ssh`.
    fileprivate var copySource: String {
        let host = destination.bareHost
        return store.sourceURL("\(destination.user)@\(host.contains(":") ? "[\(host)]" : host)")
    }
}

extension Builder {
    /// Signs what another store holds.
    fileprivate func sign(_ profiles: [PlannedProfile], key: String, in store: ServedStore) async throws {
        var remote = self
        remote.nix.environment = store.environment(nix.environment)
        do {
            _ = try await remote.nix.run(signWords(profiles, key: key) + ["--store", store.url], outputLimit: 1 << 20)
        } catch NixError.failed(let failure) {
            throw BuildError.signingFailed(key: key, failure)
        }
    }
}

extension [PlannedProfile] {
    /// Those that are built on a third machine, by that machine, in a stable order.
    var buildHosts: [(host: Destination, profiles: [PlannedProfile])] {
        let hosts = Set(compactMap(\.buildHost)).sorted { $0.description < $1.description }
        return hosts.map { host in (host, filter { $0.buildHost == host }) }
    }
}
