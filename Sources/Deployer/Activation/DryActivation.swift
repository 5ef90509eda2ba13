import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Has one closure say what its activation would do.
///
/// It holds nothing that could confirm, recover or take back, and no other connection: whatever happens, it asks the
/// node for this one thing and never again.
struct DryActivation: Sendable {
    let profile: PlannedProfile
    let connection: ReadyConnection
    let console: Console
    let mode: ActivationMode
    let nonce: String
    let tail: OutputTail

    private var timeout: Int { profile.activationTimeout ?? StandardLimits.activation }

    /// Runs it to its end; past the node's own limit it is given up.
    func run() async -> ProfileOutcome {
        do {
            let limit = Duration.seconds(timeout) + Preflight.answerLimit
            let remote = try await connection.login.remote()
            if let outcome = try await before(.now + limit, { try await rehearse(over: remote) }) { return outcome }
            return .notActivated(
                SSHError.timedOut(host: profile.destination.host, phase: "the dry run", after: limit))
        } catch {
            return .notActivated(error)
        }
    }

    private var request: ActivateRequest {
        var request = ActivateRequest(
            closure: profile.path, profile: profile.location, tempPath: profile.tempPath ?? "/tmp",
            confirmTimeout: profile.confirmTimeout)
        request.magicRollback = profile.magicRollback
        request.autoRollback = profile.autoRollback
        request.dryActivate = true
        request.session = .init(nonce: nonce, activationTimeout: timeout, deployer: mode.deployer)
        return request
    }

    private func rehearse(over remote: any Remote) async throws -> ProfileOutcome {
        let command = connection.agentCommand(.activate(request), options: mode.agentOptions, for: profile)
        console.tell(.debug, "running \(shellQuoted(command.words))", node: profile.node)
        var log = ActivationLog(profile: profile, console: console, mode: mode, tail: tail)
        let process = try await remote.start(command.words, input: command.input)
        var reader = EventReader()
        for try await output in process.output {
            for line in reader.add(output) {
                log.tell(line)
                if case .event(.activationEnded(let exit, let timedOut)) = line {
                    return .dryRun(timedOut ? .signal(SIGTERM) : exit)
                }
            }
        }
        for line in reader.finish() { log.tell(line) }
        return .notActivated(AgentFailure(exit: try await process.exit(), lines: log.lastTexts))
    }
}
