import Shared

/// The second way to a verdict: always over new connections.
extension ProfileActivation {
    private var inquiry: Inquiry {
        Inquiry(
            profile: profile, connection: connection, connector: connector, console: console, mode: mode, nonce: nonce,
            probing: probing, silence: silence)
    }

    /// Confirms once it can be confirmed, and asks how it stands where the first way gives no sign of life.
    func follow(
        _ news: AsyncStream<News>, since started: ContinuousClock.Instant, until loss: Gate
    ) async -> Finding {
        var finding = Finding.nothing
        for await one in news {
            do {
                switch one {
                case .canary(let seconds):
                    let deadline = ContinuousClock.now + .seconds(seconds)
                    return .settled(
                        try await inquiry.confirmation(until: deadline, window: deadline, patience: rollbackLimit))
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

    /// Asks over new connections until the node's own deadline is over; one that then answers is heard out.
    func ask(since started: ContinuousClock.Instant, after failures: [any Error]) async -> ProfileOutcome {
        let lost = SSHError.lost(host: profile.destination.host, reason: "no verdict was sent")
        let failure = failures.last ?? lost
        var text = "contact was lost (\(describe(failure))); asking the node over new connections"
        let silent = failures.lazy.compactMap { $0 as? SilentNode }.first
        if profile.rebootLimit(mode) > .zero, silent?.hasBegun != true {
            // Its last word may not have come through.
            let seconds = (deadline(since: started) - .now).components.seconds
            text += "; it may be rebooting, so that is tried for \(seconds) s"
        }
        console.tell(.warn, "profile \"\(profile.name)\": \(text)", node: profile.node)
        do {
            switch silent {
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

    /// When what the node itself allows, from the start of the activation to the end of its confirmation, is over; for one
    /// that may reboot, to the end of that.
    private func deadline(since started: ContinuousClock.Instant) -> ContinuousClock.Instant {
        let needsConfirmation = profile.magicRollback && !mode.boot
        let confirmation = needsConfirmation ? profile.confirmTimeout : 0
        let health = mode.boot ? 0 : profile.healthCheck?.timeout ?? 0
        let limits = .seconds(mode.waitLock + health + confirmation) + (activationTimeout ?? .zero)
        return max(started + limits, .now) + Watchdog.grace + profile.rebootLimit(mode)
    }
}
