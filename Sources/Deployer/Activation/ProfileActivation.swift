import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a whole run decides for each of its activations.
struct ActivationMode: Sendable {
    var dryActivate = false
    var boot = false
    /// Seconds to wait for another deploy that holds a profile.
    var waitLock = 0
    var agentOptions = AgentOptions()
    /// `alice@laptop`.
    var deployer: String
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

    /// How long after its own deadline a node may take to have put itself back.
    static let rollbackGrace = Duration.seconds(60)

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
            var failure: any Error = SSHError.lost(host: profile.destination.host, reason: "no verdict was sent")
            for await finding in group {
                switch finding {
                case .settled(let outcome):
                    group.cancelAll()
                    return outcome
                case .open(let error): failure = error
                case .nothing: continue
                }
            }
            return await ask(since: started, after: failure)
        }
    }

    private var request: ActivateRequest {
        var request = ActivateRequest(
            closure: profile.path, profile: profile.location, tempPath: profile.tempPath ?? "/tmp",
            confirmTimeout: profile.confirmTimeout)
        request.magicRollback = profile.magicRollback
        request.autoRollback = profile.autoRollback
        request.dryActivate = mode.dryActivate
        request.boot = mode.boot
        var session = ActivateRequest.Session(
            nonce: nonce, activationTimeout: activationTimeout, deployer: mode.deployer)
        session.onPartialFailure = profile.onPartialFailure
        session.waitLock = mode.waitLock
        request.session = session
        return request
    }

    /// Seconds; `design.md`'s default of 240 holds only while the node waits for a confirmation afterwards.
    private var activationTimeout: Int? {
        profile.activationTimeout ?? (profile.magicRollback && !mode.boot ? 240 : nil)
    }

    // MARK: The channel that the activation was started on

    private func watch(_ canary: AsyncStream<Int>.Continuation) async -> Finding {
        let command = connection.agentCommand(.activate(request), options: mode.agentOptions, for: profile)
        console.tell(.debug, "running \(shellQuoted(command.words))", node: profile.node)
        var log = ActivationLog(profile: profile, console: console, mode: mode)
        do {
            let process = try await connection.login.remote().start(command.words, input: command.input)
            var reader = EventReader()
            for try await output in process.output {
                for line in reader.add(output) {
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
        case .activationEnded(let exit, let timedOut) where mode.dryActivate:
            return .dryRun(timedOut ? .signal(SIGTERM) : exit)
        case .verdict(let report): return .ended(report, nonce: nonce)
        default: break
        }
        return nil
    }

    /// The command ended without a verdict.
    private func ended(_ exit: RemoteExit, _ log: ActivationLog) -> Finding {
        let failure = AgentFailure(exit: exit, lines: log.lastTexts)
        if mode.dryActivate { return .settled(.notActivated(failure)) }
        // An agent that gives up before its first event has changed nothing; of any other end only the node knows.
        if case .code = exit, !log.hasStarted { return .settled(.notActivated(failure)) }
        return .open(failure)
    }

    // MARK: The confirmation, always over a new connection

    private var inquiry: Inquiry {
        Inquiry(profile: profile, connection: connection, connector: connector, console: console, nonce: nonce)
    }

    private func confirm(until deadline: ContinuousClock.Instant) async -> Finding {
        do {
            return .settled(try await inquiry.outcome(until: deadline))
        } catch {
            return .open(error)
        }
    }

    // MARK: After the channel was lost

    private func ask(since started: ContinuousClock.Instant, after failure: any Error) async -> ProfileOutcome {
        let limits = mode.waitLock + (activationTimeout ?? 0) + (profile.magicRollback ? profile.confirmTimeout : 0)
        let deadline = max(started + .seconds(limits), .now) + ProfileActivation.rollbackGrace
        console.tell(
            .warn,
            "profile \"\(profile.name)\": contact was lost (\(describe(failure))); asking the node over new connections",
            node: profile.node)
        do {
            return try await inquiry.outcome(until: deadline, patience: activationTimeout == nil)
        } catch {
            return .unknown(failure)
        }
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
