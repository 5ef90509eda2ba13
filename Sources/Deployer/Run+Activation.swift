import Shared

/// How the profiles of a run ended, and the nodes that are still logged in to.
struct RunResults: Sendable {
    var profiles: [ProfileResult]
    var nodes: [ReadyNode]
}

extension Run {
    /// Activates nodes that are all ready, once the checks have passed.
    func activateAll(_ nodes: [ReadyNode], _ checked: Gate) async throws -> RunResults {
        do {
            try await checked.wait()
            try Task.checkCancellation()
        } catch {
            for node in nodes { await node.close() }
            throw error
        }
        interruption.activationBegins()
        return RunResults(profiles: await rollout().run(nodes), nodes: nodes)
    }

    /// Activates each node as soon as it is ready, once the checks have passed; one that cannot be made ready is told.
    func activateEach(_ preparation: Preparation, _ checked: Gate) async throws -> RunResults {
        let rollout = rollout()
        let outcomes = try await preparation.run(unless: interruption.brake.gate) { node in
            try await checked.wait()
            interruption.activationBegins()
            return RunResults(profiles: await rollout.deploy(node), nodes: [node])
        }
        var results = RunResults(profiles: [], nodes: [])
        for (node, outcome) in zip(preparation.plan.nodes, outcomes) {
            switch outcome {
            case .success(let part):
                results.profiles += part.profiles
                results.nodes += part.nodes
            case .failure(let error):
                let outcome = error is CancellationError ? ProfileOutcome.notStarted : .notPrepared(error)
                results.profiles += node.profiles.map { ProfileResult(profile: $0, outcome: outcome) }
            }
        }
        return results
    }

    /// Takes back what is to be taken back, and tells how all ended.
    func finish(_ results: RunResults) async -> ExitCode {
        var profiles = results.profiles
        // What an interruption kept from starting is no failure that would take back the rest.
        let hasFailed = profiles.contains { !$0.outcome.isSuccess && !$0.outcome.isNotStarted }
        if hasFailed && wantsRevocation {
            let revocation = Revocation(connector: connector, console: console, mode: mode)
            profiles = await revocation.revoke(profiles, on: results.nodes)
        }
        if profiles.count > 1 || hasFailed { console.show(Summary(results: profiles).text) }
        let code = ExitCode.worst(of: profiles.map(\.outcome.exitCode))
        return interruption.isInterrupted && code == .failed ? .interrupted : code
    }

    private func rollout() -> Rollout {
        Rollout(
            connector: connector, console: console, mode: mode, slots: Slots(options.limits.activations),
            skipsUnchanged: options.skipsUnchanged, brake: interruption.brake)
    }

    private var mode: ActivationMode {
        ActivationMode(
            dryActivate: options.dryActivate, boot: options.boot,
            agentOptions: AgentOptions(debugLogs: options.debugLogs, logDirectory: options.logDir),
            deployer: "\(user.name)@\(user.machine)")
    }

    private var wantsRevocation: Bool {
        options.rollbackSucceeded && options.overrides.autoRollback != false && !options.dryActivate
    }
}
