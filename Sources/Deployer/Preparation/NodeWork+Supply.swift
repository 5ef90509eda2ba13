import Shared

extension NodeWork {
    /// How long a node goes without protection from its garbage collector; until a node alone activates takes as long.
    private static let unprotected = Duration.seconds(5)

    /// Brings to a node what its profiles need: local closures once they are built, and what it builds itself.
    func supply(_ node: ReadyNode, _ profiles: [PlannedProfile]) async throws {
        let name = node.plan.name
        let local = profiles.filter { !$0.remoteBuild }
        try await watch.wait(for: Set(local.map(\.path)))
        try await copies.use {
            // One transfer for each way of substituting.
            for usesSubstitutes in [true, false] {
                let paths = Set(local.filter { $0.fastConnection != usesSubstitutes }.map(\.path)).sorted()
                if paths.isEmpty { continue }
                let text = paths.count == 1 ? "1 closure" : "\(paths.count) closures"
                try await preparation.console.during(Activity(.copy, node: name), "copying \(text)") {
                    try await inStage(.copy, node) {
                        try await preparation.copier.copy(
                            paths, to: try node.sender(), node: name, usesSubstitutes: usesSubstitutes)
                    }
                }
            }
            try await buildRemotely(node, profiles.filter { $0.remoteBuild && $0.buildHost == nil })
            for (host, profiles) in profiles.buildHosts {
                let build = HostBuild(
                    preflight: try await preparation.preflights.preflight(), copier: preparation.copier,
                    builder: preparation.builder, console: preparation.console, signingKey: preparation.signingKey)
                try await inStage(.build, node) { try await build.run(profiles, on: host, for: node.sender(), name) }
            }
        }
        try await inStage(.agent, node) { try await checkClosureAgents(of: node, profiles) }
    }

    private func buildRemotely(_ node: ReadyNode, _ profiles: [PlannedProfile]) async throws {
        let derivations = Installables.merged(profiles.flatMap(\.derivations))
        guard !derivations.isEmpty else { return }
        let build = RemoteBuild(copier: preparation.copier, builder: preparation.builder, console: preparation.console)
        try await preparation.console.during(Activity(.remoteBuild, node: node.plan.name), "building on the node") {
            try await inStage(.build, node) {
                try await build.run(derivations, of: profiles, on: node.sender(), node.plan.name)
            }
        }
    }

    /// Sees that what has to activate a profile where no agent is sent is there, before any activation.
    private func checkClosureAgents(of node: ReadyNode, _ profiles: [PlannedProfile]) async throws {
        for profile in profiles {
            let connection = try node.connection(of: profile)
            guard connection.usesClosureAgent(for: profile) else { continue }
            let words = ["test", "-x", "\(profile.path)/activate-rs"]
            let result = try await Preflight.answer(try await connection.login.remote(), words)
            guard result.exit.isSuccess else {
                let agents = try await preparation.preflights.preflight().agents
                throw PreflightError.noAgent(system: connection.system, available: agents.systems)
            }
        }
    }

    /// Keeps the node's garbage collector off what it has got while other nodes get theirs; where that takes long.
    func protect(_ node: ReadyNode, _ profiles: [PlannedProfile]) async throws {
        let isOver: Void? = try await before(.now + Self.unprotected) { [supplies] in try await supplies.wait() }
        if isOver != nil || profiles.isEmpty { return }
        let connection = try node.sender()
        guard let agent = connection.agent else { return }
        let paths = Set(profiles.map(\.path)).sorted()
        let words = ["\(agent)/bin/activate"] + AgentCommand.hold([agent] + paths).words()
        let result = try await Preflight.answer(try await connection.login.remote(), words)
        guard !result.exit.isSuccess else { return }
        preparation.console.tell(
            .warn,
            "the closures are not protected from a garbage collection before they are activated: \(result.errorText)",
            node: node.plan.name)
    }

    private func inStage(_ stage: Stage, _ node: ReadyNode, _ work: () async throws -> Void) async throws {
        do {
            try await work()
        } catch let error where !(error is CancellationError) {
            throw StageFailure(node: node.plan.name, profile: nil, stage: stage, cause: error)
        }
    }
}

extension Preparation {
    /// The profiles that a node has to activate.
    func pending(_ node: ReadyNode) -> [PlannedProfile] {
        node.plan.profiles.filter { !options.skipsUnchanged || node.unchanged($0) == nil }
    }

    /// File with the secret key that signs what is built; unsigned if nil.
    var signingKey: String? { Builder.Extras(options).signingKey }
}
