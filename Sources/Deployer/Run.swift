import Shared

/// One call of `deploy`: evaluate, plan, ask; look at the nodes while everything is built; copy; then activate.
///
/// Nothing is activated anywhere before every check, build and copy has succeeded.
struct Run: Sendable {
    let options: Options
    let console: Console
    let interruption: Interruption
    let connector: any Connector
    /// Asks on the terminal for a password; nil where nobody can be asked.
    let askPassword: @Sendable (String) async throws -> Secret?
    /// Absolute path of this `deploy`.
    let program: String
    let user = LocalAccount(environment: currentEnvironment())

    /// Deploys what was asked for.
    ///
    /// - Returns: what to exit with; every failure on a node has been told
    /// - Throws: what kept the run from getting to the nodes; `CancellationError` when interrupted before that
    func deploy() async throws -> ExitCode {
        let targets = try Target.all(of: options)
        let nix = try await detectNix()
        let requests = try requests(targets, nix)
        let (consent, asked) = AsyncStream<Never>.makeStream()
        let nodes = try await prepare {
            try await check(requests.map { $0.source }, nix, after: consent)
        } nodes: {
            async let agents = AgentBinary.add(file: options.agent, program: program)
            let plan = try await plan(requests, nix)
            try await ask(about: plan)
            asked.finish()
            let preparation = Preparation(
                plan: plan, sources: requests.map { $0.source }, options: options, console: console,
                preflight: preflight(try await agents), builder: builder(nix, Activity(.build)), copier: copier)
            return try await preparation.run()
        }
        let code: ExitCode
        do {
            try interruption.activationBegins()
            code = await activate(nodes)
        } catch {
            for node in nodes { await node.close() }
            throw error
        }
        for node in nodes { await node.close() }
        return code
    }

    /// Runs the checks beside everything that makes the nodes ready; the first failure of either cancels the other.
    private func prepare(
        checks: @escaping @Sendable () async throws -> Void,
        nodes: @escaping @Sendable () async throws -> [ReadyNode]
    ) async throws -> [ReadyNode] {
        try await withThrowingTaskGroup(of: [ReadyNode].self) { group in
            group.addTask {
                try await checks()
                return []
            }
            group.addTask { try await nodes() }
            var ready: [ReadyNode] = []
            do {
                for try await part in group { ready += part }
                try Task.checkCancellation()
                return ready
            } catch {
                group.cancelAll()
                while let part = await group.nextResult() { ready += (try? part.get()) ?? [] }
                for node in ready { await node.close() }
                throw error
            }
        }
    }

    /// Asks the nodes where their profiles stand, and changes nothing.
    func status() async throws -> ExitCode {
        let targets = try Target.all(of: options)
        let nix = try await detectNix()
        async let agents = AgentBinary.add(file: options.agent, program: program)
        let plan = try await plan(try requests(targets, nix), nix)
        let report = StatusReport(
            preflight: preflight(try await agents), console: console, limit: options.parallel, history: options.history)
        return await report.run(plan)
    }

    // MARK: Evaluation and plan

    private func detectNix() async throws -> Nix {
        var nix = try await Nix.detect()
        nix.onCommand = { [console] words in
            // Of our own long expressions the first line tells enough.
            let short = words.map { $0.contains("\n") ? "\($0.prefix { $0 != "\n" }) …" : $0 }
            console.tell(.debug, "running \(shellQuoted(short))")
        }
        return nix
    }

    private func requests(_ targets: [Target], _ nix: Nix) throws -> [EvaluationRequest] {
        let evaluator = evaluator(nix)
        return try EvaluationRequest.grouping(targets).map { request in
            var request = request
            request.source = try evaluator.usableSource(request.source)
            return request
        }
    }

    private func plan(_ requests: [EvaluationRequest], _ nix: Nix) async throws -> Plan {
        for request in requests { console.step("evaluating \(request.source)") }
        let evaluator = evaluator(nix)
        let evaluations = try await console.during(Activity(.evaluation)) {
            try await sideBySide(requests, limit: options.parallel) { try await evaluator.evaluate($0) }
                .map { try $0.get() }
        }
        for warning in evaluations.flatMap(\.warnings) { console.tell(.warn, warning.description) }
        let plan = try PlanMaker(overrides: options.overrides, localUser: user.name).plan(evaluations)
        console.report(.planned(plan))
        return plan
    }

    private func ask(about plan: Plan) async throws {
        let text = Prompt.summary(of: plan)
        guard options.isInteractive else {
            console.tell(.debug, "the following profiles are going to be deployed:\n\(text)")
            return
        }
        console.tell(.info, "the following profiles are going to be deployed:")
        console.show(text)
        try await Prompt.ask(say: { console.tell(.info, $0) }) {
            console.hold()
            defer { console.release() }
            return try await PromptInput().readLine()
        }
    }

    /// - Parameter consent: ends once the question of `-i` was answered: checks build, and nothing is built before
    private func check(_ sources: [Source], _ nix: Nix, after consent: AsyncStream<Never>) async throws {
        if options.skipChecks { return }
        if options.isInteractive { for await _ in consent {} }
        try Task.checkCancellation()
        let checks = Activity(.checks)
        let builder = builder(nix, checks)
        for source in Set(sources) {
            try await console.during(checks, "running the checks of \(source)") { try await builder.check(source) }
        }
    }

    // MARK: Activation

    private func activate(_ nodes: [ReadyNode]) async -> ExitCode {
        let rollout = Rollout(
            console: console, limit: options.parallel, brake: interruption.brake, underWay: interruption.underWay,
            kind: options.dryActivate ? .dry : options.boot ? .boot : .live)
        let results = options.dryActivate ? await rehearse(rollout, nodes) : await change(rollout, nodes)
        console.show(Summary(results: results, progress: console.progress.model).text)
        FailureTails(results: results, console: console).tell()
        let code = ExitCode.worst(of: results.map(\.exitCode))
        return interruption.isInterrupted && code == .failed ? .interrupted : code
    }

    /// The only way in which a dry run works on nodes: nothing in it can make a connection or change one.
    private func rehearse(_ rollout: Rollout, _ nodes: [ReadyNode]) async -> [ProfileResult] {
        let work = DryWork(console: console, mode: mode)
        return await rollout.run(nodes) { await work.run($0, on: $1, $2) }
    }

    private func change(_ rollout: Rollout, _ nodes: [ReadyNode]) async -> [ProfileResult] {
        let work = ActivationWork(connector: connector, console: console, mode: mode)
        let results = await rollout.run(nodes) { await work.run($0, on: $1, $2) }
        // What an interruption kept from starting is no failure that would take back the rest.
        guard results.contains(where: \.hasFailed), wantsRevocation else { return results }
        return await Revocation(connector: connector, console: console, mode: mode).revoke(results, on: nodes)
    }

    private var mode: ActivationMode {
        ActivationMode(
            boot: options.boot, waitLock: options.waitLock,
            agentOptions: AgentOptions(debugLogs: options.debugLogs, logDirectory: options.logDir),
            deployer: "\(user.name)@\(user.machine)", statusCommand: options.statusCommand)
    }

    private var wantsRevocation: Bool { options.rollbackSucceeded && options.overrides.autoRollback != false }

    // MARK: Parts

    private func evaluator(_ nix: Nix) -> Evaluator {
        var evaluator = Evaluator(nix: nix, extraArguments: options.nixArguments)
        let relay = UntilError { [console] in console.relay($0, from: "nix") }
        evaluator.onLine = { relay.add($0) }
        return evaluator
    }

    private func builder(_ nix: Nix, _ activity: Activity) -> Builder {
        var builder = Builder(nix: nix, extraArguments: options.nixArguments)
        builder.onLine = { [console] in console.relay($0.text, from: "nix", weight: $0.weight) }
        builder.onCounts = { [console] in console.report(.counted($0, activity)) }
        return builder
    }

    private var copier: Copier { Copier(console: console, checksSignatures: options.checksigs) }

    private func preflight(_ agents: AgentBinary) -> Preflight {
        Preflight(
            connector: connector, agents: agents, console: console, copier: copier, askPassword: askPassword,
            signingKey: Builder.Extras(options).signingKey)
    }
}
