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
            try interruption.activationBegins()
        } catch {
            for node in nodes { await node.close() }
            throw error
        }
        return RunResults(profiles: await rollout.run(nodes, work), nodes: nodes)
    }

    /// Activates each node as soon as it is ready, once the checks have passed; one that cannot be made ready is told.
    func activateEach(_ preparation: Preparation, _ checked: Gate) async throws -> RunResults {
        let (rollout, work) = (rollout, work)
        let outcomes = try await preparation.run(unless: interruption.brake.gate) { node in
            try await checked.wait()
            try interruption.activationBegins()
            return RunResults(profiles: await rollout.deploy(node, work), nodes: [node])
        }
        var results = RunResults(profiles: [], nodes: [])
        for (node, outcome) in zip(preparation.plan.nodes, outcomes) {
            switch outcome {
            case .success(let part):
                results.profiles += part.profiles
                results.nodes += part.nodes
            case .failure(let error):
                let outcome = error is CancellationError ? ProfileOutcome.notStarted : .notPrepared(error)
                for profile in node.profiles {
                    let result = ProfileResult(profile: profile, outcome: outcome, tail: OutputTail())
                    console.report(.settled(result))
                    results.profiles.append(result)
                }
            }
        }
        return results
    }

    /// Tells of every profile that it is as before, where something kept the run from activating any.
    func showUntouched(_ plan: Plan) {
        let model = console.progress.model
        let failures = Dictionary(uniqueKeysWithValues: model.nodes.map { ($0.name, $0.failure) })
        let results = plan.profiles.map { profile in
            let failure = failures[profile.node] ?? nil
            return ProfileResult(
                profile: profile, outcome: failure.map { .notPrepared($0) } ?? .notStarted, tail: OutputTail())
        }
        for result in results { console.report(.settled(result)) }
        console.show(Summary(results: results, progress: model).text)
    }

    /// Takes back what is to be taken back, and tells how all ended.
    func finish(_ results: RunResults) async -> ExitCode {
        var profiles = results.profiles
        // What an interruption kept from starting is no failure that would take back the rest.
        if profiles.contains(where: \.hasFailed), wantsRevocation {
            let revocation = Revocation(connector: connector, console: console, mode: mode)
            profiles = await revocation.revoke(profiles, on: results.nodes)
        }
        console.show(Summary(results: profiles, progress: console.progress.model).text)
        FailureTails(results: profiles, console: console).tell()
        let code = ExitCode.worst(of: profiles.map(\.exitCode))
        return interruption.isInterrupted && code == .failed ? .interrupted : code
    }

    private var rollout: Rollout {
        Rollout(
            console: console, slots: Slots(options.limits.activations), skipsUnchanged: options.skipsUnchanged,
            brake: interruption.brake, underWay: interruption.underWay,
            kind: options.dryActivate ? .dry : options.boot ? .boot : .live)
    }

    private var work: Rollout.Work {
        guard options.dryActivate else {
            let work = ActivationWork(connector: connector, console: console, mode: mode)
            return { await work.run($0, on: $1, $2) }
        }
        // The only way in which a dry run works on nodes: nothing in it can make a connection or change one.
        let work = DryWork(console: console, mode: mode)
        return { await work.run($0, on: $1, $2) }
    }

    private var mode: ActivationMode {
        ActivationMode(
            boot: options.boot, waitLock: options.waitLock,
            agentOptions: AgentOptions(debugLogs: options.debugLogs, logDirectory: options.logDir),
            deployer: "\(user.name)@\(user.machine)", statusCommand: options.statusCommand)
    }

    private var wantsRevocation: Bool {
        options.rollbackSucceeded && options.overrides.autoRollback != false && !options.dryActivate
    }
}
