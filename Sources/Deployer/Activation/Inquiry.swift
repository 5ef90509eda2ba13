import Shared

/// Asks a node, over new connections, how one activation stands; confirms it if it waits for that.
struct Inquiry: Sendable {
    let profile: PlannedProfile
    let connection: ReadyConnection
    let connector: any Connector
    let console: Console
    let mode: ActivationMode
    let nonce: String
    let probing: Probing

    /// How long a connection may be silent at first.
    var silence = Pulse.limit

    private enum Answer: Sendable {
        case outcome(ProfileOutcome)
        /// It can be confirmed from now on, for this many seconds.
        case awaiting(seconds: Int)
    }

    /// Asks until the node has answered; once there is something to confirm, over a connection that is newer than that.
    ///
    /// - Parameters:
    ///   - deadline: for reaching the node; at least one attempt is made
    ///   - patience: how long it may take for its answer once it is reached; no limit if nil
    ///   - awaitsStart: an activation that has not begun may still do so
    /// - Throws: why the last attempt failed; `CancellationError`
    func outcome(
        until deadline: ContinuousClock.Instant, patience: Duration?, awaitsStart: Bool = false
    ) async throws -> ProfileOutcome {
        var request = ConfirmRequest(profile: profile.location, nonce: nonce)
        request.observes = true
        request.awaitsStart = awaitsStart
        switch try await answer(to: .confirm(request), until: deadline, patience) {
        case .outcome(let outcome): return outcome
        case .awaiting(let seconds):
            console.tell(.debug, "profile \"\(profile.name)\": confirming over a new connection", node: profile.node)
            let window = ContinuousClock.now + .seconds(seconds)
            return try await confirmation(until: max(deadline, window), window: window, patience: patience)
        }
    }

    /// Confirms an activation that is known to wait for that, and asks until the node has told how it ended. One whose probe
    /// fails is taken back instead, at once.
    ///
    /// `window` is when the node rolls back by itself; the other parameters and errors are those of ``outcome(until:patience:awaitsStart:)``.
    func confirmation(
        until deadline: ContinuousClock.Instant, window: ContinuousClock.Instant, patience: Duration?
    ) async throws -> ProfileOutcome {
        var command = AgentCommand.confirm(ConfirmRequest(profile: profile.location, nonce: nonce))
        if let failure = try await probing.failure(profile, console, window: window) {
            var request = RevokeRequest(profile: profile.location, nonce: nonce)
            request.reason = "\(failure)"
            command = .revoke(request)
        }
        switch try await answer(to: command, until: deadline, patience) {
        case .outcome(let outcome): return outcome
        // It does not answer so to a request that settles it.
        case .awaiting: throw AgentFailure(exit: .code(ExitCode.unknown.rawValue), lines: [])
        }
    }

    private func answer(
        to command: AgentCommand, until deadline: ContinuousClock.Instant, _ patience: Duration?
    ) async throws -> Answer {
        try await Reconnection(profile: profile, connector: connector, console: console, silence: silence)
            .answer(until: deadline, patience: patience) { try await answer(to: command, $0, $1) }
    }

    /// What the node says of the activation.
    private func answer(to command: AgentCommand, _ remote: any Remote, _ silence: Duration) async throws -> Answer {
        let pulse = Pulse(limit: silence)
        let confirmed = try await pulse.during {
            try await remote.during { try await agent(command, remote) { pulse.beat() } }
        }
        if let report = confirmed.report { return .outcome(.ended(report, nonce: nonce)) }
        if let seconds = confirmed.secondsLeft { return .awaiting(seconds: seconds) }
        return .outcome(try await outcome(confirmed.result, remote))
    }

    /// The outcome where the agent could not tell one; where it does not know the activation, what it does know.
    private func outcome(_ answer: RemoteResult, _ remote: any Remote) async throws -> ProfileOutcome {
        guard let status = ProfileStatus(lastLineOf: try await agent(.status([profile.location]), remote).result) else {
            throw failure(answer)
        }
        guard let known = status.activation, known.nonce == nonce else {
            // Only an agent that got to its answer has also seen to it that the activation never begins.
            guard answer.exit == .code(ExitCode.failed.rawValue) else { throw failure(answer) }
            // It holds the profile without having begun: what it could not say yet, it can say soon.
            if status.holder?.nonce == nonce { throw failure(answer) }
            return .notActivated(failure(answer))
        }
        if let report = known.report { return .ended(report, nonce: nonce) }
        guard !known.isGuarded else { throw failure(answer) }
        // Its guardian is gone: whoever comes next finishes its work, and that is us.
        let recovered = try await agent(.recover([profile.location]), remote)
        guard let report = recovered.report else { throw failure(recovered.result) }
        return .ended(report, nonce: nonce)
    }

    private struct Said {
        var report: VerdictReport?
        var secondsLeft: Int?
        let result: RemoteResult
    }

    private func agent(
        _ command: AgentCommand, _ remote: any Remote, onOutput: @Sendable () -> Void = {}
    ) async throws -> Said {
        let words = connection.agentCommand(command, options: mode.agentOptions, for: profile)
        let result = try await remote.run(words.words, input: words.input, limit: 1 << 20, onOutput: onOutput)
        var said = Said(result: result)
        for line in result.text.split(separator: "\n") {
            // Lines that are no event say nothing about the verdict.
            switch try? JSONLine.decode(AgentEvent.self, from: line) {
            case .verdict(let report): said.report = report
            case .awaitingConfirmation(let seconds): said.secondsLeft = seconds
            default: break
            }
        }
        return said
    }

    private func failure(_ result: RemoteResult) -> AgentFailure {
        AgentFailure(exit: result.exit, lines: lastLines(5, of: result.errorText))
    }
}

extension ProfileStatus {
    /// What `status` printed for one profile; nil where that is no status.
    init?(lastLineOf result: RemoteResult) {
        guard let line = result.text.split(separator: "\n").last,
            let status = try? JSONLine.decode(ProfileStatus.self, from: line)
        else { return nil }
        self = status
    }
}
