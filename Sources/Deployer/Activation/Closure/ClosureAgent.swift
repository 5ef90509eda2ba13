import Shared

/// A closure's own `activate-rs`, which deploy-rs has put there: what it is told, word for word as deploy-rs tells it.
struct ClosureAgent: Sendable {
    /// What is read, of one command, for a person: the rest is dropped.
    static let outputLimit = 1 << 20

    let profile: PlannedProfile
    let connection: ReadyConnection
    let mode: ActivationMode
    /// Nothing is to change.
    var isDry = false

    /// The words and standard input of a command as the profile's user.
    typealias Command = (words: [String], input: RemoteInput)

    var tempPath: String { profile.tempPath ?? "/tmp" }

    /// Whether `activate` waits for the canary to be taken away.
    var awaitsConfirmation: Bool { profile.magicRollback && !mode.boot && !isDry }

    var activate: Command {
        var request = ActivateRequest(
            closure: profile.path, profile: profile.location, tempPath: tempPath,
            confirmTimeout: profile.confirmTimeout)
        request.magicRollback = profile.magicRollback
        request.autoRollback = profile.autoRollback
        request.dryActivate = isDry
        request.boot = mode.boot
        return command(.activate(request))
    }

    var wait: Command {
        command(
            .wait(
                WaitRequest(
                    closure: profile.path, tempPath: tempPath, activationTimeout: profile.activationTimeout)))
    }

    var revoke: Command { command(.revoke(RevokeRequest(profile: profile.location))) }

    var confirm: Command { connection.command(["rm", canary], as: profile) }

    /// As `make_lock_path` in deploy-rs's src/lib.rs.
    var canary: String {
        let hash = profile.path.prefix { $0 != "-" }.dropFirst("/nix/store/".count)
        return "\(tempPath)/deploy-rs-canary-\(hash)"
    }

    /// Seconds until `wait` gives up; 240 is deploy-rs's own default.
    var activationTimeout: Int { profile.activationTimeout ?? 240 }

    private func command(_ command: AgentCommand) -> Command {
        connection.agentCommand(command, options: mode.agentOptions, for: profile)
    }

    /// Looks where the profile's link is, over the connection or a new one.
    ///
    /// - Parameter clears: removes the canary that an earlier run of the same closure left, which would confirm
    /// - Throws: ``SSHError``, ``ClosureAgentError/noLook(_:)``
    func look(clears: Bool = false) async throws -> ProfileLook {
        let query = ProfileLookQuery(
            location: profile.location, marker: try Nonce.random(), removing: clears ? canary : nil)
        let command = connection.command(query.words, as: profile)
        let remote = try await connection.login.remote()
        let limit = Preflight.answerLimit
        let result = try await before(.now + limit) {
            try await remote.run(command.words, input: command.input, limit: ClosureAgent.outputLimit)
        }
        guard let result else {
            throw SSHError.timedOut(host: profile.destination.host, phase: "looking at the profile", after: limit)
        }
        guard let look = query.parse(result.text) else {
            throw ClosureAgentError.noLook(
                AgentFailure(exit: result.exit, lines: lastLines(5, of: result.errorText)).description)
        }
        return look
    }
}

/// What a closure's own agent leaves open.
enum ClosureAgentError: Error, Sendable, Equatable {
    /// The plain shell command that finds the profile's link failed.
    case noLook(String)
    /// The agent, or the way to it, was lost: its verdict is written nowhere.
    case noVerdict(reason: String, generation: Generation?)
    /// It reported success, and the link is elsewhere.
    case revokeFailed(reason: String)
}

extension ClosureAgentError: Explained, CustomStringConvertible {
    var description: String {
        switch self {
        case .noLook(let reason): "the profile's link could not be looked at: \(reason)"
        case .noVerdict(let reason, let generation):
            "\(reason); the closure's own agent keeps no record; the link is now on "
                + (generation.map(\.label) ?? "no generation")
        case .revokeFailed(let reason): reason
        }
    }

    var hint: String? {
        switch self {
        case .noLook: nil
        case .noVerdict: "look at the node; an agent of this tool would have written its verdict down"
        case .revokeFailed: nil
        }
    }
}

extension Generation {
    /// `generation 4, /nix/store/…`, or the path alone.
    var label: String { number.map { "generation \($0), \(path)" } ?? path }
}
