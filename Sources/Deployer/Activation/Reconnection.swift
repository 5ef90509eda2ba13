import Shared

/// New connections to a node, one after the other, until over one of them it has answered.
struct Reconnection: Sendable {
    let profile: PlannedProfile
    let connector: any Connector
    let console: Console
    /// How long the first connection may be silent while an agent speaks that gives signs of life; each one after a
    /// silent one twice as long, up to ``longest``.
    var silence = Pulse.limit

    /// How long the first attempt to log in may take, each after one that took too long twice as long: a link that lost the first packets
    /// works with the next login, and a slow one gets its time.
    private static let firstLoginLimit = Duration.seconds(15)
    private static let longest = Duration.seconds(120)

    /// Takes a node's answer over a connection that may be silent for no longer than this.
    typealias Question<Answer> = @Sendable (any Remote, Duration) async throws -> Answer

    /// Asks until the node has answered.
    ///
    /// - Parameters:
    ///   - deadline: for reaching the node; at least one attempt is made
    ///   - patience: how long it may take for its answer once it is reached; no limit if nil
    ///   - ask: may be called several times
    /// - Throws: why the last attempt failed; `CancellationError`
    func answer<Answer: Sendable>(
        until deadline: ContinuousClock.Instant, patience: Duration?,
        _ ask: @escaping Question<Answer>
    ) async throws -> Answer {
        var pause = Duration.milliseconds(100)
        var loginLimit = Reconnection.firstLoginLimit
        var silence = silence
        while true {
            do {
                let limit = silence
                return try await attempt(loginLimit, patience) { try await ask($0, limit) }
            } catch {
                try Task.checkCancellation()
                console.tell(.debug, "no answer over a new connection: \(describe(error))", node: profile.node)
                if ContinuousClock.now >= deadline { throw error }
                if error is SilentLink { silence = min(silence * 2, Self.longest) }
                if case SSHError.timedOut = error { loginLimit = min(loginLimit * 2, Self.longest) }
            }
            try await ContinuousClock().sleep(until: min(deadline, .now + pause))
            pause = min(pause * 2, .seconds(2))
        }
    }

    private func attempt<Answer: Sendable>(
        _ loginLimit: Duration, _ patience: Duration?, _ ask: @escaping @Sendable (any Remote) async throws -> Answer
    ) async throws -> Answer {
        let destination = profile.destination
        guard let remote = try await before(.now + loginLimit, { try await connector.connect(destination) }) else {
            throw SSHError.timedOut(host: destination.host, phase: "logging in anew", after: loginLimit)
        }
        do {
            let answer = try await answer(of: remote, patience, ask)
            await remote.close()
            return answer
        } catch {
            await remote.close()
            throw error
        }
    }

    private func answer<Answer: Sendable>(
        of remote: any Remote, _ patience: Duration?, _ ask: @escaping @Sendable (any Remote) async throws -> Answer
    ) async throws -> Answer {
        guard let patience else { return try await remote.during { try await ask(remote) } }
        let answer = try await before(.now + patience) { try await remote.during { try await ask(remote) } }
        guard let answer else {
            throw SSHError.timedOut(host: profile.destination.host, phase: "its answer", after: patience)
        }
        return answer
    }
}
