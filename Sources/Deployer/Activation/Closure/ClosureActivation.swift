import Shared

/// Activates one profile through the closure's own `activate-rs`, as deploy-rs's deployer does, and finds out how it ended.
///
/// That agent keeps no record and its exit status tells little: what cannot be known is reported as unknown.
struct ClosureActivation: Sendable {
    let agent: ClosureAgent
    let connector: any Connector
    let console: Console
    /// Gets what the agent writes.
    let tail: OutputTail

    /// How long after its own deadline the agent may take to have put the profile back.
    private static let grace = Duration.seconds(15)

    private var profile: PlannedProfile { agent.profile }

    private enum Finding: Sendable {
        case ended(RemoteExit)
        case lost(any Error)
        /// `wait` saw the canary; whether we then took it, and until when the agent would have put the profile back.
        case activated(isConfirmed: Bool, until: ContinuousClock.Instant)
        case notActivated
        case timeUp
    }

    /// Runs it to its end. Cancelling leaves the node to decide by itself.
    func run() async -> ProfileOutcome {
        let before: ProfileLook
        do {
            before = try await agent.look(clears: agent.awaitsConfirmation)
        } catch {
            return .notActivated(error)
        }
        var facts = ClosureFacts(closure: profile.path, before: before, autoRollback: profile.autoRollback)
        let was = before.generation.map { "now \($0.label)" } ?? "its first generation"
        console.report(.started(activity(.activation), previous: before.generation))
        step("activating through the closure's own agent (\(was))")
        await follow(&facts)
        facts.after = await lookAfterwards()
        return facts.outcome
    }

    // MARK: Both of its commands side by side

    private func follow(_ facts: inout ClosureFacts) async {
        facts = await withTaskGroup(of: Finding.self, returning: ClosureFacts.self) { [facts] group in
            var facts = facts
            group.addTask { await activate() }
            if agent.awaitsConfirmation { group.addTask { await confirm() } }
            var isLost = false
            findings: for await finding in group {
                switch finding {
                case .ended(let exit):
                    facts.exit = exit
                    break findings
                case .lost(let error):
                    facts.loss = describe(error)
                    isLost = true
                    // A new connection may still see the canary, and take it.
                    if !agent.awaitsConfirmation || facts.wasActivated { break findings }
                    say(.warn, "contact was lost (\(facts.loss)); asking the node over new connections")
                case .activated(let isConfirmed, let until):
                    facts.wasActivated = true
                    facts.isConfirmed = isConfirmed
                    group.addTask { await Self.sleep(until: until) }
                case .notActivated:
                    if isLost { break findings }
                    group.addTask { await Self.sleep(until: .now + .seconds(profile.confirmTimeout) + Self.grace) }
                case .timeUp:
                    if facts.loss.isEmpty { facts.loss = "the agent did not end in time" }
                    break findings
                }
            }
            group.cancelAll()
            return facts
        }
        facts.lines = tail.activation
    }

    private static func sleep(until instant: ContinuousClock.Instant) async -> Finding {
        // Cancelled: nobody waits for it any more.
        try? await ContinuousClock().sleep(until: instant)
        return .timeUp
    }

    private func activate() async -> Finding {
        do {
            return .ended(try await agent.run(agent.activate, console, tail))
        } catch {
            return .lost(error)
        }
    }

    // MARK: The confirmation

    private func confirm() async -> Finding {
        guard await isActivated() else { return .notActivated }
        console.report(.ended(activity(.activation)))
        console.report(.awaiting(activity(.activation), seconds: profile.confirmTimeout))
        console.report(.began(activity(.confirmation)))
        step("activated; confirming over a new connection (the node rolls back in \(profile.confirmTimeout) s)")
        let deadline = ContinuousClock.now + .seconds(profile.confirmTimeout)
        return .activated(isConfirmed: await takeCanary(until: deadline), until: deadline + Self.grace)
    }

    /// False where the probe failed: then the node's own deadline takes it back.
    private func mayBeConfirmed(until deadline: ContinuousClock.Instant) async -> Bool {
        // Cancelled: nobody waits for it any more.
        (try? await Probing().failure(profile, console, window: deadline) == nil) ?? false
    }

    /// Waits for the canary, anew where the connection ends over it.
    private func isActivated() async -> Bool {
        let deadline = ContinuousClock.now + .seconds(agent.activationTimeout)
        let said = OutputTail()
        while !Task.isCancelled {
            do {
                let exit = try await agent.run(agent.wait, console, said)
                if exit.isSuccess { return true }
                let reason = said.activation.last ?? "no reason"
                say(.error, "the activation did not come to an end in time (\(exit)): \(reason)")
                return false
            } catch {
                if ContinuousClock.now >= deadline { return false }
                await Self.pause(until: deadline)
            }
        }
        return false
    }

    /// Takes the canary away over new connections until one gets through; false if it was gone or none did.
    private func takeCanary(until deadline: ContinuousClock.Instant) async -> Bool {
        guard await mayBeConfirmed(until: deadline) else { return false }
        repeat {
            do {
                let result = try await before(deadline) { try await takeOnce() }
                guard let result else { return false }
                if result.exit.isSuccess { return true }
                say(.warn, "the confirmation was not accepted: \(result.errorText)")
                return false
            } catch {
                console.tell(.debug, "confirmation did not get through: \(describe(error))", node: profile.node)
            }
            await Self.pause(until: deadline)
        } while ContinuousClock.now < deadline && !Task.isCancelled
        return false
    }

    private func takeOnce() async throws -> RemoteResult {
        let remote = try await connector.connect(profile.destination)
        do {
            let command = agent.confirm
            console.tell(.debug, "running \(shellQuoted(command.words))", node: profile.node)
            let result = try await remote.run(command.words, input: command.input, limit: ClosureAgent.outputLimit)
            await remote.close()
            return result
        } catch {
            await remote.close()
            throw error
        }
    }

    private static func pause(until deadline: ContinuousClock.Instant) async {
        // Cancelled: the loops around it look for that.
        try? await ContinuousClock().sleep(until: min(deadline, .now + .milliseconds(250)))
    }

    // MARK: Afterwards

    /// Where the link is, asked until the node answers; nil if it does not.
    private func lookAfterwards() async -> ProfileLook? {
        let deadline = ContinuousClock.now + .seconds(profile.confirmTimeout) + Self.grace
        repeat {
            do {
                return try await agent.look()
            } catch {
                console.tell(.debug, describe(error), node: profile.node)
            }
            await Self.pause(until: deadline)
        } while ContinuousClock.now < deadline && !Task.isCancelled
        return nil
    }

    private func activity(_ phase: Phase) -> Activity {
        Activity(phase, node: profile.node, profile: profile.name)
    }

    private func step(_ text: String) { console.step("profile \"\(profile.name)\": \(text)", node: profile.node) }

    private func say(_ level: Level, _ text: String) {
        console.tell(level, "profile \"\(profile.name)\": \(text)", node: profile.node)
    }
}
