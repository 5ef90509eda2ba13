import Glibc
import Shared

/// Undoes one activation: only what its record says was begun, and only if the profile still is where it was left.
struct Rollback: Sendable {
    let record: Record
    let generations: Generations
    let events: EventLog

    var link: ProfileLink { generations.link }
    private var progress: Record.Progress { record.progress }
    /// Whoever gave the activation all the time in the world still wants the node back.
    var limit: Duration { .seconds(record.activationTimeout ?? StandardLimits.activation) }

    /// Puts the recorded generation back and activates it again.
    ///
    /// - Returns: what a person should know about it; nil for a plain success
    /// - Throws: ``AgentError``, ``SystemError``; the sentence says where it stopped
    func run() async throws -> String? {
        guard progress.settingProfile || progress.scriptStarted else { return nil }
        let current = try link.generation()
        var note: String?
        if current != record.previous {
            guard isOurs(current) else {
                let expected = (progress.profileSet ?? (progress.settingProfile ? nil : record.previous)).map(\.text)
                throw AgentError.linkMoved(
                    link: link.path, expected: expected ?? record.closure, found: text(current))
            }
            if let previous = record.previous {
                try await generations.restore(previous, target: record.previousTarget)
            } else {
                note = try await removeFirst()
            }
        }
        let notes = [note, try await activateAgain()].compactMap { $0 }
        return notes.isEmpty ? nil : notes.joined(separator: "; ")
    }

    private func isOurs(_ current: Generation?) -> Bool {
        if let set = progress.profileSet { return current == set }
        return progress.settingProfile && current?.path == resolved(record.closure)
    }

    /// There was no generation before: the link goes, after the closure had its say.
    private func removeFirst() async throws -> String? {
        var failure: (any Error)?
        if progress.scriptStarted, !record.policy.boot, isRunnable("\(link.path)/deactivate") {
            do {
                try await run(["\(link.path)/deactivate"], .activate)
            } catch {
                failure = error
            }
        }
        try generations.removeLink()
        if let failure { throw failure }
        return "there was no earlier generation: the profile's link was removed"
    }

    // MARK: The old generation's own activation

    private func activateAgain() async throws -> String? {
        switch record.policy.kind {
        case .wrapped:
            guard progress.scriptStarted, let previous = record.previous else { return nil }
            if record.policy.boot { return try await activate(previous, "boot") }
            let notes = [
                try await activate(previous, "switch") ?? strayed(from: previous), await choiceOfBoot(previous),
            ].compactMap { $0 }
            return notes.isEmpty ? nil : notes.joined(separator: "; ")
        case .system: return try await systemAgain()
        }
    }

    /// A plain system: what ran before runs again, and where the next boot was touched, that is put back too.
    private func systemAgain() async throws -> String? {
        var failures: [any Error] = []
        var notes: [String] = []
        for step in [runAgain, bootAgain] {
            do {
                if let note = try await step() { notes.append(note) }
            } catch {
                failures.append(error)
            }
        }
        if let first = failures.first { throw first }
        return notes.isEmpty ? nil : notes.joined(separator: "; ")
    }

    private func runAgain() async throws -> String? {
        guard progress.scriptStarted else { return nil }
        guard let system = record.runningSystem.flatMap({ NixOSSystem(in: $0) }), let words = system.words("test")
        else {
            guard let previous = record.previous else { return nil }
            return try await activate(previous, "test")
        }
        if progress.scriptBootID != currentBootID(), NixOSSystem.running() == system {
            return "the node has been restarted since, into the system that ran before"
        }
        try await run(words, .activate, at: system.path)
        if let running = NixOSSystem.running(), running != system {
            throw AgentError.notBack(expected: system.path, found: running.path)
        }
        return nil
    }

    private func bootAgain() async throws -> String? {
        guard progress.bootStarted, let previous = record.previous else { return nil }
        return try await activate(previous, "boot")
    }

    /// Activates the generation that the link is on by whatever means it has, whoever deployed it.
    ///
    /// - Parameter action: for a bare system; `boot` also for the others
    /// - Returns: that there was no means
    private func activate(_ previous: Generation, _ action: String) async throws -> String? {
        let isBoot = action == "boot"
        let scripts = ["\(link.path)/\(Activatable.scriptName)", "\(link.path)/\(NixOSSystem.switchName)"]
        if isRunnable(scripts[0]) {
            try await run([scripts[0]], isBoot ? .boot : .activate)
        } else if isRunnable(scripts[1]) {
            try await run([scripts[1], action], isBoot ? .boot : .activate)
        } else if isRunnable("\(link.path)/activate") {
            // Home Manager and nix-darwin: live only, so a boot that failed has nothing to undo with it.
            if !isBoot { try await run(["\(link.path)/activate"], .activate) }
        } else {
            return "the link is back, but nothing could be activated again: \(previous.path) has no script for that"
        }
        return nil
    }

    /// That the node runs another system than the generation's, although its activation was content.
    private func strayed(from previous: Generation) -> String? {
        guard !record.policy.boot, let system = NixOSSystem(in: previous.path),
            let running = NixOSSystem.running(), !system.includes(running)
        else { return nil }
        return "the running system is \(running.path), not that of \(previous.text)"
    }

    func run(
        _ words: [String], _ mode: Script.Mode, at location: String? = nil, within limit: Duration? = nil
    ) async throws {
        let limit = limit ?? self.limit
        let script = Script(
            words, at: location ?? link.path, mode, tempPath: record.tempPath, limit: limit,
            generations.nix.environment, note: try RunningScript(beside: link))
        let result = try await script.run { @Sendable [events] stream, line in
            events.send(.output(stream: stream, line: line))
        }
        if result.failure(words[0], limit: limit) != nil {
            let text = result.timedOut ? "it did not end within \(limit.components.seconds) s and was ended" : ""
            throw AgentError.toolFailed(words.joined(separator: " "), result.exit, text: text)
        }
    }
}
