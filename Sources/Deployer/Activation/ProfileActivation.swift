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
    let probing = Probing()
    /// How long the node may give no sign of life before it is asked over another connection as well.
    var silence = Pulse.limit
    /// How long the node may take to say anything about the activation.
    var firstWord = Preflight.answerLimit

    /// What calls for another connection.
    enum News: Sendable {
        /// It can be confirmed from now on, for this many seconds.
        case canary(Int)
        case silence
    }

    enum Finding: Sendable {
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

    var activationTimeout: Duration? { profile.activationTimeout(mode).map { .seconds($0) } }

    // MARK: The channel that the activation was started on

    private func watch(_ teller: AsyncStream<News>.Continuation) async -> Finding {
        let remote: any Remote
        do {
            // Made anew, it may take a person to answer: no time runs yet.
            remote = try await connection.login.remote()
        } catch {
            return .open(error)
        }
        // Whatever it is at: it may be heard of no more until it has rebooted.
        let grace = Watchdog.grace + profile.rebootLimit(mode)
        let watchdog = Watchdog(activationTimeout: activationTimeout, grace: grace, firstWord: firstWord)
        let pulse = Pulse(limit: silence)
        return await withTaskGroup(of: Finding.self) { group in
            group.addTask { await listen(remote, teller, watchdog, pulse) }
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
        _ remote: any Remote, _ teller: AsyncStream<News>.Continuation, _ watchdog: Watchdog, _ pulse: Pulse
    ) async -> Finding {
        let request = profile.activation(nonce: nonce, mode)
        let command = connection.agentCommand(.activate(request), options: mode.agentOptions, for: profile)
        console.tell(.debug, "running \(shellQuoted(command.words))", node: profile.node)
        var log = ActivationLog(profile: profile, console: console, mode: mode, tail: tail)
        do {
            let process = try await remote.start(command.words, input: command.input)
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
}
