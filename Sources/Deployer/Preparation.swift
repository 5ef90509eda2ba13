import Shared

/// Everything before the first activation: nodes looked at while the build runs, then their closures copied.
struct Preparation: Sendable {
    let plan: Plan
    let sources: [Source]
    let options: Options
    let console: Console
    let preflight: Preflight
    let builder: Builder
    let copier: Copier

    /// - Returns: the nodes in the plan's order, each with its closures in its store
    /// - Throws: ``PreparationError`` with every failure; nothing is activated then, and all connections are closed
    func run() async throws -> [ReadyNode] {
        async let built: Void = build()
        let nodes = try await onEachNode(plan.nodes) { node in
            try await console.during(Activity(.preflight, node: node.name)) { try await preflight.prepare(node) }
        }
        do {
            try await built
            _ = try await onEachNode(nodes) { try await supply($0) }
            return nodes
        } catch {
            for node in nodes { await node.close() }
            throw error
        }
    }

    private func build() async throws {
        let count = plan.profiles.count { !$0.remoteBuild }
        let text = plan.localDerivations.isEmpty ? nil : "building \(count) profile\(count == 1 ? "" : "s")"
        try await console.during(Activity(.build), text) {
            try await builder.build(plan, from: sources, Builder.Extras(options))
        }
    }

    /// Works on all nodes, so many at a time; after a failure the others still end, and every failure is reported.
    private func onEachNode<Input: Sendable, Output: Sendable>(
        _ inputs: [Input], _ work: @escaping @Sendable (Input) async throws -> Output
    ) async throws -> [Output] {
        let results = await sideBySide(inputs, limit: options.parallel, work)
        let failures = results.compactMap { result -> (any Error)? in
            if case .failure(let error) = result { error } else { nil }
        }
        if let interruption = failures.first(where: { $0 is CancellationError }) { throw interruption }
        if failures.isEmpty { return try results.map { try $0.get() } }
        for case .success(let node as ReadyNode) in results { await node.close() }
        throw PreparationError(failures: failures)
    }

    // MARK: Closures

    private func supply(_ node: ReadyNode) async throws {
        for (connection, usesSubstitutes, profiles) in try transfers(of: node) {
            let paths = Set(profiles.map(\.path)).sorted()
            let text = "copying \(paths.count == 1 ? "1 closure" : "\(paths.count) closures")"
            try await console.during(Activity(.copy, node: node.plan.name), text) {
                try await inStage(.copy, node) {
                    try await copier.copy(
                        paths, to: connection, node: node.plan.name, usesSubstitutes: usesSubstitutes)
                }
            }
        }
        let derivations = node.plan.remoteDerivations
        if !derivations.isEmpty {
            let remote = RemoteBuild(copier: copier, builder: builder, console: console)
            try await console.during(Activity(.remoteBuild, node: node.plan.name), "building on the node") {
                try await inStage(.build, node) {
                    try await remote.run(derivations, of: node.plan.ownBuilds, on: try node.sender, node.plan.name)
                }
            }
        }
        for (host, profiles) in node.plan.hostBuilds {
            let build = HostBuild(
                preflight: preflight, copier: copier, builder: builder, console: console,
                signingKey: Builder.Extras(options).signingKey)
            try await inStage(.build, node) {
                try await build.run(profiles, on: host, for: try node.sender, node.plan.name)
            }
        }
        try await inStage(.agent, node) { try await checkClosureAgents(of: node) }
        // A node alone goes on at once, to an activation that makes roots of its own.
        if plan.nodes.count > 1 { try await hold(node) }
    }

    /// Sees that what has to activate a profile where no agent is sent is there, before any activation.
    private func checkClosureAgents(of node: ReadyNode) async throws {
        for profile in node.plan.profiles {
            let connection = try node.connection(of: profile)
            guard connection.usesClosureAgent(for: profile) else { continue }
            let words = ["test", "-x", "\(profile.path)/activate-rs"]
            let result = try await preflight.answer(try await connection.login.remote(), words)
            guard result.exit.isSuccess else {
                throw PreflightError.noAgent(
                    system: connection.system, available: preflight.agents.paths.keys.sorted())
            }
        }
    }

    /// Keeps the node's garbage collector off what it has got while other nodes get theirs.
    private func hold(_ node: ReadyNode) async throws {
        let connection = try node.sender
        guard let agent = connection.agent else { return }
        let paths = Set(node.plan.profiles.map(\.path)).sorted()
        let words = ["\(agent)/bin/activate"] + AgentCommand.hold([agent] + paths).words()
        let result = try await preflight.answer(try await connection.login.remote(), words)
        guard !result.exit.isSuccess else { return }
        console.tell(
            .warn,
            "the closures are not protected from a garbage collection before they are activated: \(result.errorText)",
            node: node.plan.name)
    }

    /// One transfer for each way of substituting, over the connection that the node's daemon trusts most.
    private func transfers(of node: ReadyNode) throws -> [(ReadyConnection, Bool, [PlannedProfile])] {
        let sender = try node.sender
        let local = node.plan.profiles.filter { !$0.remoteBuild }
        return [true, false].compactMap { usesSubstitutes in
            let profiles = local.filter { $0.fastConnection != usesSubstitutes }
            return profiles.isEmpty ? nil : (sender, usesSubstitutes, profiles)
        }
    }

    private func inStage(_ stage: Stage, _ node: ReadyNode, _ work: () async throws -> Void) async throws {
        do {
            try await work()
        } catch let error where !(error is CancellationError) {
            throw StageFailure(node: node.plan.name, profile: nil, stage: stage, cause: error)
        }
    }
}

/// What kept the nodes from being ready; none has changed.
struct PreparationError: Error {
    /// At least one, each told on its own.
    let failures: [any Error]
}
