import Shared

/// The steps up to the confirmation, and those that make it last.
extension Guardian {
    mutating func setProfile() async -> Activation.Event {
        do {
            if !record.policy.setsProfileLast { try prepareLegacyCanary() }
            record.progress.settingProfile = true
            try save()
            let (generation, isNew) = try await work.setProfile(record)
            record.progress.profileSet = generation
            record.progress.isNew = isNew
            events.send(.profileSet(generation: generation.number ?? 0, isNew: isNew))
            return .profileSet
        } catch {
            // A link that cannot be read is one that cannot be trusted to be where it was.
            let moved = (try? work.generation() != record.previous) ?? true
            return .setFailed("the profile could not be set: \(error)", linkMoved: moved)
        }
    }

    mutating func runScript() async -> Activation.Event {
        do {
            if record.policy.setsProfileLast { try prepareLegacyCanary() }
            record.progress.scriptStarted = true
            record.progress.scriptBootID = record.bootID
            try save()
            let end = try await work.activate(record)
            record.lastLines = events.lastLines
            record.needsReboot = end.needsReboot
            record.progress.failedUnits = end.failedBefore
            events.send(.activationEnded(end.result.exit, timedOut: end.result.timedOut))
            guard let failure = end.failure else { return .scriptSucceeded }
            guard end.isPartial, record.onPartialFailure == .warn else { return .scriptFailed(failure) }
            record.note = failure
            return .scriptSucceeded
        } catch {
            return .scriptFailed("the activation script could not be run: \(error)")
        }
    }

    mutating func checkHealth() async -> Activation.Event {
        guard let check = record.healthCheck else { return .healthy }
        events.send(.checkingHealth(seconds: check.timeout))
        do {
            let finding = try await work.check(check, record)
            record.healthCheck = nil
            guard let failure = finding.failure else {
                events.send(.healthy(tries: finding.tries))
                return .healthy
            }
            for line in finding.lines { events.send(.output(stream: .stderr, line: line)) }
            record.lastLines = events.lastLines
            return .unhealthy(failure)
        } catch {
            return .unhealthy("the health check could not be run: \(error)")
        }
    }

    private mutating func prepareLegacyCanary() throws {
        guard record.nonce == nil, record.policy.needsConfirmation else { return }
        legacyCanary = try LegacyCanary.prepare(tempPath: record.tempPath, closure: record.closure)
    }

    mutating func makeCanary() -> Activation.Event {
        do {
            if let canary = legacyCanary {
                legacyCanary = try canary.make()
            } else {
                try canary.make()
            }
            return .canaryMade
        } catch {
            return .canaryFailed("the canary could not be made: \(error)")
        }
    }

    mutating func awaitConfirmation() async -> Activation.Event {
        let limit = Duration.seconds(record.confirmTimeout)
        let deadline = bootTime() + Int64(record.confirmTimeout) * 1_000_000_000
        record.deadline = deadline
        // Watch first, then say that it can be confirmed.
        let watch = ChangeWatch(folders: [folder.watchPath] + (legacyCanary.map { [$0.folderPath] } ?? []))
        let timer = BootTimer(after: limit) { @Sendable in watch.poke() }
        defer { withExtendedLifetime(timer) {} }
        do {
            try save()
        } catch {
            return .expired("that it waits could not be written down, so no confirmation is possible: \(error)")
        }
        events.send(.awaitingConfirmation(seconds: record.confirmTimeout))
        for await _ in watch.wakes {
            if legacyCanary?.isConfirmed ?? canary.isConfirmed { return .confirmed }
            if canary.isRevoked { return .expired(canary.revocation) }
            guard bootTime() >= deadline else { continue }
            if !(legacyCanary?.expire() ?? canary.expire()) { return .confirmed }
            return .expired("it was not confirmed within \(record.confirmTimeout) s")
        }
        return .expired("the wait for its confirmation was cut short")
    }

    mutating func setBoot() async -> Activation.Event {
        do {
            record.progress.bootStarted = true
            try save()
            let failure = try await work.setBoot(record)
            record.lastLines = events.lastLines
            return failure.map { .bootFailed($0) } ?? .bootSet
        } catch {
            return .bootFailed("the next boot could not be prepared: \(error)")
        }
    }
}
