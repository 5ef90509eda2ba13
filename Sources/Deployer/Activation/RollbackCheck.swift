import Shared

/// What a second look at a node said about a rollback that it had reported.
enum RollbackFinding: Sendable, Equatable {
    case verified
    /// Nobody could look: the node's own word is all there is.
    case notSeen(reason: String)
    /// It is not as recorded.
    case different(reason: String)

    /// Why it is not verified; nil if it is.
    var reason: String? {
        switch self {
        case .verified: nil
        case .notSeen(let reason), .different(let reason): reason
        }
    }
}

/// Looks at a node again after a rollback: over a new connection and login, is everything where it was recorded?
struct RollbackCheck: Sendable {
    let profile: PlannedProfile
    let connection: ReadyConnection
    let connector: any Connector
    let console: Console
    let nonce: String
    /// For the next boot only: what runs was never to change.
    let boot: Bool
    /// Gets what the node has kept of the output.
    let tail: OutputTail

    /// How long a node may take to be reachable again.
    private static let limit = Duration.seconds(30)

    func run() async -> RollbackFinding {
        let command = connection.agentCommand(.status([profile.location]), for: profile)
        do {
            let status = try await Reconnection(profile: profile, connector: connector, console: console)
                .answer(until: .now + RollbackCheck.limit, patience: Preflight.answerLimit) { remote, _ in
                    let result = try await remote.run(command.words, input: command.input, limit: 1 << 20)
                    guard let status = ProfileStatus(lastLineOf: result) else {
                        throw AgentFailure(exit: result.exit, lines: lastLines(5, of: result.errorText))
                    }
                    return status
                }
            return finding(status)
        } catch {
            return .notSeen(reason: describe(error))
        }
    }

    private func finding(_ status: ProfileStatus) -> RollbackFinding {
        guard let activation = status.activation, activation.nonce == nonce else {
            return .notSeen(reason: "someone else has deployed it since")
        }
        tail.complete(with: activation.lastLines ?? [])
        guard status.generation?.path == activation.previous?.path else {
            let places = "\(name(status.generation)), not on \(name(activation.previous))"
            return .different(reason: "the profile is on \(places)")
        }
        if !boot, let system = status.system, !system.isAsRecorded {
            return .different(reason: "the running system is \(system.running), not \(system.ofGeneration)")
        }
        return .verified
    }

    private func name(_ generation: Generation?) -> String {
        guard let generation else { return "no generation" }
        return (generation.number.map { "generation \($0), " } ?? "") + generation.path
    }
}
