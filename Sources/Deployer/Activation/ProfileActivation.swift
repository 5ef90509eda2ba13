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

    private enum Finding: Sendable {
        case settled(ProfileOutcome)
        /// This way of asking found nothing out.
        case open(any Error)
        case nothing
    }

    /// Runs it to its end. Cancelling leaves the node to decide by itself.
    func run() async -> ProfileOutcome {
        let started = ContinuousClock.now
        let (canaries, canary) = AsyncStream.makeStream(of: Int.self)
        return await withTaskGroup(of: Finding.self) { group in
            group.addTask {
                let finding = await watch(canary)
                canary.finish()
                return finding
            }
            group.addTask {
                for await seconds in canaries { return await confirm(until: .now + .seconds(seconds)) }
                return .nothing
            }
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

    private var request: ActivateRequest {
        var request = ActivateRequest(
            closure: profile.path, profile: profile.location, tempPath: profile.tempPath ?? "/tmp",
            confirmTimeout: profile.confirmTimeout)
        request.magicRollback = profile.magicRollback
        request.autoRollback = profile.autoRollback
        request.boot = mode.boot
        var session = ActivateRequest.Session(
            nonce: nonce, activationTimeout: activationTimeout, deployer: mode.deployer)
        session.onPartialFailure = profile.onPartialFailure
        session.waitLock = mode.waitLock
        request.session = session
        return request
    }

    /// Seconds; the default holds only while the node waits for a confirmation afterwards.
    private var activationTimeout: Int? {
        profile.activationTimeout ?? (profile.magicRollback && !mode.boot ? StandardLimits.activation : nil)
    }

    // MARK: The channel that the activation was started on

    private func watch(_ canary: AsyncStream<Int>.Continuation) async -> Finding {
        let watchdog = Watchdog(activationTimeout: activationTimeout.map { .seconds($0) })
        return await withTaskGroup(of: Finding.self) { group in
            group.addTask { await listen(canary, watchdog) }
            group.addTask {
                await watchdog.bark()
                return .open(SilentNode())
            }
            defer { group.cancelAll() }
            return await group.next() ?? .nothing
        }
    }

    private func listen(_ canary: AsyncStream<Int>.Continuation, _ watchdog: Watchdog) async -> Finding {
        let command = connection.agentCommand(.activate(request), options: mode.agentOptions, for: profile)
        console.tell(.debug, "running \(shellQuoted(command.words))", node: profile.node)
        var log = ActivationLog(profile: profile, console: console, mode: mode, tail: tail)
        do {
            let process = try await connection.login.remote().start(command.words, input: command.input)
            var reader = EventReader()
            for try await output in process.output {
                for line in reader.add(output) {
                    if case .event(let event) = line { watchdog.hear(event) }
                    if let outcome = heard(line, &log, canary) { return .settled(outcome) }
                }
            }
            for line in reader.finish() {
                if let outcome = heard(line, &log, canary) { return .settled(outcome) }
            }
            return ended(try await process.exit(), log)
        } catch {
            return .open(error)
        }
    }

    private func heard(
        _ line: EventReader.Line, _ log: inout ActivationLog, _ canary: AsyncStream<Int>.Continuation
    ) -> ProfileOutcome? {
        log.tell(line)
        guard case .event(let event) = line else { return nil }
        switch event {
        case .awaitingConfirmation(let seconds): canary.yield(seconds)
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

    // MARK: The confirmation, always over a new connection

    private var inquiry: Inquiry {
        Inquiry(
            profile: profile, connection: connection, connector: connector, console: console, mode: mode, nonce: nonce)
    }

    private func confirm(until deadline: ContinuousClock.Instant) async -> Finding {
        do {
            return .settled(try await inquiry.outcome(until: deadline, patience: rollbackLimit))
        } catch {
            return .open(error)
        }
    }

    /// For the node to put itself back, once it has begun to.
    private var rollbackLimit: Duration {
        Watchdog.rollbackLimit(activationTimeout.map { .seconds($0) }) + Watchdog.grace
    }

    // MARK: After the channel was lost

    /// Asks over new connections until the node's own deadline is over; one that then answers is heard out.
    private func ask(since started: ContinuousClock.Instant, after failures: [any Error]) async -> ProfileOutcome {
        let lost = SSHError.lost(host: profile.destination.host, reason: "no verdict was sent")
        let failure = failures.last ?? lost
        let text = "contact was lost (\(describe(failure))); asking the node over new connections"
        console.tell(.warn, "profile \"\(profile.name)\": \(text)", node: profile.node)
        do {
            // Its own deadline is over already where it has said nothing for that long.
            if failures.contains(where: { $0 is SilentNode }) {
                return try await inquiry.outcome(until: .now, patience: Preflight.answerLimit)
            }
            let deadline = max(started + ownLimits, .now) + Watchdog.grace
            let patience = activationTimeout == nil ? nil : (deadline - .now) + rollbackLimit
            return try await inquiry.outcome(until: deadline, patience: patience)
        } catch {
            return .unknown(failure)
        }
    }

    /// What the node itself allows from the start of the activation to the end of its confirmation.
    private var ownLimits: Duration {
        let needsConfirmation = profile.magicRollback && !mode.boot
        return .seconds(mode.waitLock + (activationTimeout ?? 0) + (needsConfirmation ? profile.confirmTimeout : 0))
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
