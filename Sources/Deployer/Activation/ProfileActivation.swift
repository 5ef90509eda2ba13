import Shared

/// What a whole run decides for each of its activations.
struct ActivationMode: Sendable {
    var boot = false
    /// Seconds to wait for another deploy that holds a profile.
    var waitLock = 0
    var agentOptions = AgentOptions()
    /// `alice@laptop`.
    var deployer: String
    /// The command that tells later how things stand.
    var statusCommand = "deploy status"
}

/// Activates one profile on its node, confirms it, and finds out how it ended.
///
/// The node decides and this asks: the outcome is what the node said, over the first connection or a later one.
struct ProfileActivation: Sendable {
    let profile: PlannedProfile
    let connection: ReadyConnection
    let connector: any Connector
    let console: Console
    let mode: ActivationMode
    let nonce: String
    let tail: OutputTail
    /// How long the node may give no sign of life before it is asked over another connection as well.
    var silence = Pulse.limit
    /// How long the node may take to say anything about the activation.
    var firstWord = Preflight.answerLimit

    /// What calls for another connection.
    private enum News: Sendable {
        /// It can be confirmed from now on, for this many seconds.
        case canary(Int)
        case silence
    }

    private enum Finding: Sendable {
        case settled(ProfileOutcome)
        /// This way of asking found nothing out.
        case open(any Error)
        case nothing
    }

    /// Runs it to its end. Cancelling leaves the node to decide by itself.
    func run() async -> ProfileOutcome {
        let started = ContinuousClock.now
        // Only the last counts, since whoever asks after a silence sees a canary too.
        let loss = Gate()
        let (news, teller) = AsyncStream.makeStream(of: News.self, bufferingPolicy: .bufferingNewest(1))
        return await withTaskGroup(of: Finding.self) { group in
            group.addTask {
                let finding = await watch(teller)
                if case .open(let error) = finding { loss.fail(error) }
                teller.finish()
                return finding
            }
            group.addTask { await follow(news, since: started, until: loss) }
            var failures: [any Error] = []
            for await finding in group {
                switch finding {
                case .settled(let outcome):
                    group.cancelAll()
                    return outcome
                case .open(let error):
                    failures.append(error)
                    // Nor will it say more to the confirmation that waits there.
                    if error is SilentNode { group.cancelAll() }
                case .nothing: continue
                }
            }
            return await ask(since: started, after: failures)
        }
    }

    private var activationTimeout: Duration? { profile.activationTimeout(mode).map { .seconds($0) } }

    // MARK: The channel that the activation was started on

    private func watch(_ teller: AsyncStream<News>.Continuation) async -> Finding {
        let watchdog = Watchdog(activationTimeout: activationTimeout, firstWord: firstWord)
        let pulse = Pulse(limit: silence)
        return await withTaskGroup(of: Finding.self) { group in
            group.addTask { await listen(teller, watchdog, pulse) }
            group.addTask {
                await watchdog.bark()
                return .open(SilentNode(hasBegun: watchdog.hasBegun))
            }
            group.addTask {
                while true {
                    await pulse.stops()
                    if Task.isCancelled { return .nothing }
                    teller.yield(.silence)
                    pulse.beat()
                }
            }
            defer { group.cancelAll() }
            return await group.next() ?? .nothing
        }
    }

    private func listen(
        _ teller: AsyncStream<News>.Continuation, _ watchdog: Watchdog, _ pulse: Pulse
    ) async -> Finding {
        let request = profile.activation(nonce: nonce, mode)
        let command = connection.agentCommand(.activate(request), options: mode.agentOptions, for: profile)
        console.tell(.debug, "running \(shellQuoted(command.words))", node: profile.node)
        var log = ActivationLog(profile: profile, console: console, mode: mode, tail: tail)
        do {
            let process = try await connection.login.remote().start(command.words, input: command.input)
            let outcome = try await process.hear(&log) { event in
                pulse.beat()
                watchdog.hear(event)
                return heard(event, teller)
            }
            if let outcome { return .settled(outcome) }
            return ended(try await process.exit(), log)
        } catch {
            return .open(error)
        }
    }

    private func heard(_ event: AgentEvent, _ teller: AsyncStream<News>.Continuation) -> ProfileOutcome? {
        switch event {
        case .awaitingConfirmation(let seconds): teller.yield(.canary(seconds))
        case .locked(let holder): return .locked(holder)
        case .verdict(let report): return .ended(report, nonce: nonce)
        default: break
        }
        return nil
    }

    /// The command ended without a verdict.
    private func ended(_ exit: RemoteExit, _ log: ActivationLog) -> Finding {
        let failure = AgentFailure(exit: exit, lines: log.lastTexts)
        // An agent that gives up before its first event has changed nothing; of any other end only the node knows.
        if case .code = exit, !log.hasStarted { return .settled(.notActivated(failure)) }
        return .open(failure)
    }

    // MARK: The second way, always over new connections

    private var inquiry: Inquiry {
        Inquiry(
            profile: profile, connection: connection, connector: connector, console: console, mode: mode, nonce: nonce,
            silence: silence)
    }

    /// Confirms once it can be confirmed, and asks how it stands where the first way gives no sign of life.
    private func follow(
        _ news: AsyncStream<News>, since started: ContinuousClock.Instant, until loss: Gate
    ) async -> Finding {
        var finding = Finding.nothing
        for await one in news {
            do {
                switch one {
                case .canary(let seconds):
                    let deadline = ContinuousClock.now + .seconds(seconds)
                    return .settled(try await inquiry.confirmation(until: deadline, patience: rollbackLimit))
                case .silence:
                    let text = "nothing was heard for \(silence); asking over a new connection as well"
                    console.tell(.warn, "profile \"\(profile.name)\": \(text)", node: profile.node)
                    return try await look(since: started, until: loss).map { .settled($0) } ?? .nothing
                }
            } catch {
                finding = error is CancellationError ? .nothing : .open(error)
            }
        }
        return finding
    }

    /// Asks how it stands, confirming it in time; nil once the first way is lost, since what has not begun then never may.
    private func look(since started: ContinuousClock.Instant, until loss: Gate) async throws -> ProfileOutcome? {
        try await withThrowingTaskGroup(of: ProfileOutcome?.self) { group in
            group.addTask { try await outcome(since: started, awaitsStart: true) }
            group.addTask {
                // It only ever fails, with what the first way says itself.
                try? await loss.wait()
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    /// For the node to put itself back, once it has begun to.
    private var rollbackLimit: Duration { Watchdog.rollbackLimit(activationTimeout) + Watchdog.grace }

    // MARK: After the channel was lost

    /// Asks over new connections until the node's own deadline is over; one that then answers is heard out.
    private func ask(since started: ContinuousClock.Instant, after failures: [any Error]) async -> ProfileOutcome {
        let lost = SSHError.lost(host: profile.destination.host, reason: "no verdict was sent")
        let failure = failures.last ?? lost
        let text = "contact was lost (\(describe(failure))); asking the node over new connections"
        console.tell(.warn, "profile \"\(profile.name)\": \(text)", node: profile.node)
        do {
            switch failures.lazy.compactMap({ $0 as? SilentNode }).first {
            case .none: return try await outcome(since: started, awaitsStart: false)
            // Its own deadline is over already.
            case .some(let silent) where silent.hasBegun:
                return try await inquiry.outcome(until: .now, patience: Preflight.answerLimit)
            case .some:
                return try await inquiry.outcome(until: deadline(since: started), patience: Preflight.answerLimit)
            }
        } catch {
            return .unknown(failure)
        }
    }

    private func outcome(since started: ContinuousClock.Instant, awaitsStart: Bool) async throws -> ProfileOutcome {
        let deadline = deadline(since: started)
        let patience = activationTimeout == nil ? nil : (deadline - .now) + rollbackLimit
        return try await inquiry.outcome(until: deadline, patience: patience, awaitsStart: awaitsStart)
    }

    /// When what the node itself allows, from the start of the activation to the end of its confirmation, is over.
    private func deadline(since started: ContinuousClock.Instant) -> ContinuousClock.Instant {
        let needsConfirmation = profile.magicRollback && !mode.boot
        let confirmation = needsConfirmation ? profile.confirmTimeout : 0
        let limits = .seconds(mode.waitLock + confirmation) + (activationTimeout ?? .zero)
        return max(started + limits, .now) + Watchdog.grace
    }
}

/// The agent ended without saying how the activation ended.
struct AgentFailure: Error, CustomStringConvertible {
    let exit: RemoteExit
    /// The last lines of its standard error.
    let lines: [String]

    var description: String {
        lines.isEmpty
            ? "the agent ended with \(exit)" : "the agent ended with \(exit): \(lines.joined(separator: "\n"))"
    }
}
