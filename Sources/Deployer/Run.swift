import Shared
import Synchronization

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
    /// Of every Nix program but those that copy.
    var environment = currentEnvironment()
    /// Runs a `nix copy`; a stand-in where nodes are simulated.
    var runCopy: Copier.Runner = { try await $0.run() }
    private let meter = LinkMeter()
    let user = LocalAccount(environment: currentEnvironment())

    /// Deploys what was asked for.
    ///
    /// - Returns: what to exit with; every failure on a node has been told
    /// - Throws: what kept the run from getting to the nodes; `CancellationError` when interrupted before that
    func deploy() async throws -> ExitCode {
        let targets = try Target.all(of: options)
        try await Nix.makeStore()
        let looks = looks()
        do {
            let code = try await deploy(targets, looks)
            await looks.close()
            return code
        } catch {
            await looks.close()
            throw error
        }
    }

    private func deploy(_ targets: [Target], _ looks: Preflights) async throws -> ExitCode {
        let agreed = Mutex<Plan?>(nil)
        let results: RunResults
        do {
            results = try await activate(targets, looks) { plan in agreed.withLock { $0 = plan } }
        } catch {
            if let plan = agreed.withLock({ $0 }) { showUntouched(plan) }
            throw error
        }
        let code = await finish(results)
        for node in results.nodes { await node.close() }
        return code
    }

    /// - Parameter onAgreed: gets what will be deployed, once that is settled
    /// - Throws: what kept the run from activating anything
    private func activate(
        _ targets: [Target], _ looks: Preflights, onAgreed: @escaping @Sendable (Plan) -> Void
    ) async throws -> RunResults {
        let (consent, asked) = AsyncStream<Never>.makeStream()
        let (checked, hasEvaluated) = (Gate(), Gate())
        return try await beside {
            do {
                try await check(targets, after: consent)
            } catch {
                // What is wrong with the flake itself is told by its evaluation, which then ends all this.
                try await hasEvaluated.wait()
                throw error
            }
            checked.open()
        } work: {
            // Nobody is logged in to before they are agreed to.
            let evaluated = try await unlessUnreachable(looks) {
                try await evaluate(targets) { if !options.isInteractive { looks.begin($0) } }
            }
            hasEvaluated.open()
            try await ask(about: evaluated.plan)
            onAgreed(evaluated.plan)
            asked.finish()
            let preparation = preparation(evaluated, looks)
            return try await options.noBarrier
                ? activateEach(preparation, checked) : activateAll(try await preparation.run(), checked)
        }
    }

    /// Evaluates until a node turns out to be one that cannot be deployed to: without it nothing would be activated.
    private func unlessUnreachable(
        _ looks: Preflights, _ evaluate: @escaping @Sendable () async throws -> Evaluated
    ) async throws -> Evaluated {
        if options.noBarrier { return try await evaluate() }
        return try await withThrowingTaskGroup(of: Evaluated.self) { group in
            group.addTask { try await evaluate() }
            group.addTask {
                try await looks.verdict.wait()
                throw CancellationError()
            }
            defer { group.cancelAll() }
            guard let evaluated = try await group.next() else { throw CancellationError() }
            return evaluated
        }
    }

    /// Runs the checks beside everything else; the first failure of either cancels the other.
    private func beside(
        checks: @escaping @Sendable () async throws -> Void,
        work: @escaping @Sendable () async throws -> RunResults
    ) async throws -> RunResults {
        try await withThrowingTaskGroup(of: RunResults?.self) { group in
            group.addTask {
                try await checks()
                return nil
            }
            group.addTask { try await work() }
            defer { group.cancelAll() }
            for try await results in group { if let results { return results } }
            throw CancellationError()
        }
    }

    /// Asks the nodes where their profiles stand, and changes nothing.
    func status() async throws -> ExitCode {
        let targets = try Target.all(of: options)
        try await Nix.makeStore()
        let looks = looks()
        do {
            let plan = try await evaluate(targets) { looks.begin($0) }.plan
            let code = await StatusReport(preflights: looks, console: console, history: options.history).run(plan)
            await looks.close()
            return code
        } catch {
            await looks.close()
            throw error
        }
    }

    // MARK: Evaluation and plan

    /// What was asked for, evaluated.
    struct Evaluated: Sendable {
        var plan: Plan
        var sources: [Source]
        var nix: Nix
    }

    /// - Parameter onNode: a node as it will be but for its closures, as soon as it is known
    private func evaluate(
        _ targets: [Target], onNode: @escaping @Sendable (PlannedNode) -> Void
    ) async throws -> Evaluated {
        // Flakes work nearly everywhere: whether they do is asked only where one could not be evaluated.
        var nix = listening(Nix(version: .assumed, hasFlakes: true, environment: environment))
        let evaluations: [Evaluation]
        do {
            evaluations = try await self.evaluations(targets, nix, onNode)
        } catch EvaluationError.nix(.flake(let reference), let place, let failure) {
            nix = listening(try await Nix.detect(environment: environment))
            if nix.hasFlakes { throw EvaluationError.nix(.flake(reference), at: place, failure) }
            evaluations = try await self.evaluations(targets, nix, onNode)
        }
        nix.version = evaluations.compactMap(\.nixVersion).first ?? .assumed
        for warning in evaluations.flatMap(\.warnings) { console.tell(.warn, warning.description) }
        let plan = try planMaker.plan(evaluations)
        console.report(.planned(plan))
        return Evaluated(plan: plan, sources: evaluations.map(\.request.source), nix: nix)
    }

    private func evaluations(
        _ targets: [Target], _ nix: Nix, _ onNode: @escaping @Sendable (PlannedNode) -> Void
    ) async throws -> [Evaluation] {
        let requests = try requests(targets, nix)
        for request in requests { console.step("evaluating \(request.source)") }
        let counts = CountsTogether { [console] in console.report(.counted($0, Activity(.evaluation))) }
        return try await console.during(Activity(.evaluation)) {
            try await evaluations(requests, nix, counts, onNode)
        }
    }

    private func evaluations(
        _ requests: [EvaluationRequest], _ nix: Nix, _ counts: CountsTogether,
        _ onNode: @escaping @Sendable (PlannedNode) -> Void
    ) async throws -> [Evaluation] {
        try await sideBySide(requests, limit: options.limits.evaluations) { request in
            var evaluator = evaluator(nix)
            evaluator.onCounts = { counts.take($0, of: "\(request.source)") }
            // A name that may yet turn out to be for one of many is no place to go to.
            if options.overrides.forOneNode == nil {
                evaluator.onNode = { deployment in
                    let node = Evaluation(request: request, deployment: deployment, warnings: [])
                    // What is wrong with it is told with the whole plan.
                    for node in (try? planMaker.plan([node]))?.nodes ?? [] { onNode(node) }
                }
            }
            return try await evaluator.evaluate(request)
        }.map { try $0.get() }
    }

    private func requests(_ targets: [Target], _ nix: Nix) throws -> [EvaluationRequest] {
        let evaluator = evaluator(nix)
        return try EvaluationRequest.grouping(targets).map { request in
            var request = request
            request.source = try evaluator.usableSource(request.source)
            return request
        }
    }

    private var planMaker: PlanMaker { PlanMaker(overrides: options.overrides, localUser: user.name) }

    private func listening(_ nix: Nix) -> Nix {
        var nix = nix
        nix.onCommand = { [console] words in
            // Of our own long expressions the first line tells enough.
            let short = words.map { $0.contains("\n") ? "\($0.prefix { $0 != "\n" }) …" : $0 }
            console.tell(.debug, "running \(shellQuoted(short))")
        }
        return nix
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
    private func check(_ targets: [Target], after consent: AsyncStream<Never>) async throws {
        if options.skipChecks { return }
        let nix = listening(try await Nix.detect(environment: environment))
        let sources = try requests(targets, nix).map(\.source)
        if options.isInteractive { for await _ in consent {} }
        try Task.checkCancellation()
        let checks = Activity(.checks)
        let builder = builder(nix, checks)
        for source in Set(sources) {
            try await console.during(checks, "running the checks of \(source)") { try await builder.check(source) }
        }
    }

    // MARK: Parts

    private func evaluator(_ nix: Nix) -> Evaluator {
        var evaluator = Evaluator(nix: nix, extraArguments: options.nixArguments)
        evaluator.onLine = { [console] in console.relay($0.text, from: "nix", weight: $0.weight) }
        return evaluator
    }

    private func builder(_ nix: Nix, _ activity: Activity) -> Builder {
        var builder = Builder(nix: nix, extraArguments: options.nixArguments)
        builder.onLine = { [console] in console.relay($0.text, from: "nix", weight: $0.weight) }
        builder.onCounts = { [console] in console.report(.counted($0, activity)) }
        return builder
    }

    private func preparation(_ evaluated: Evaluated, _ looks: Preflights) -> Preparation {
        var builder = builder(evaluated.nix, Activity(.build))
        builder.keepsGoing = options.noBarrier
        return Preparation(
            plan: evaluated.plan, sources: evaluated.sources, options: options, console: console, preflights: looks,
            builder: builder, copier: copier)
    }

    private var copier: Copier {
        Copier(
            console: console, checksSignatures: options.checksigs,
            meter: options.compression == .auto ? meter : nil, run: runCopy)
    }

    private func looks() -> Preflights {
        Preflights(options.limits) { [self] copies in
            let agents = try await AgentBinary.find(file: options.agent, program: program, environment: environment)
            return Preflight(
                connector: connector, agents: agents, console: console, copier: copier, copies: copies,
                askPassword: askPassword, startsGuardians: options.command == .deploy && !options.dryActivate)
        }
    }
}
