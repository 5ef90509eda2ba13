import Glibc
import Shared

/// Undoes one activation: only what its record says was begun, and only if the profile still is where it was left.
struct Rollback: Sendable {
    let record: Record
    let generations: Generations
    let events: EventLog

    private var link: ProfileLink { generations.link }
    /// Whoever gave the activation all the time in the world still wants the node back.
    var limit: Duration { .seconds(record.activationTimeout ?? StandardLimits.activation) }
    private var mode: Script.Mode { record.policy.boot ? .boot : .activate }

    /// Puts the recorded generation back and activates it again.
    ///
    /// - Returns: what a person should know about it; nil for a plain success
    /// - Throws: ``AgentError``, ``SystemError``; the sentence says where it stopped
    func run() async throws -> String? {
        guard record.progress.settingProfile else { return nil }
        let current = try link.generation()
        if current != record.previous {
            guard isOurs(current) else {
                let expected = record.progress.profileSet.map(\.text) ?? record.closure
                throw AgentError.linkMoved(link: link.path, expected: expected, found: text(current))
            }
            guard let previous = record.previous else { return try await removeFirst() }
            try await generations.restore(previous, target: record.previousTarget)
        }
        guard record.progress.scriptStarted, let previous = record.previous else { return nil }
        return try await activateAgain(previous)
    }

    private func isOurs(_ current: Generation?) -> Bool {
        if let set = record.progress.profileSet { return current == set }
        return current?.path == resolved(record.closure)
    }

    /// There was no generation before: the link goes, after the closure had its say.
    private func removeFirst() async throws -> String? {
        var failure: (any Error)?
        if record.progress.scriptStarted, !record.policy.boot, isRunnable("\(link.path)/deactivate") {
            do {
                try await run(["\(link.path)/deactivate"])
            } catch {
                failure = error
            }
        }
        try generations.removeLink()
        if let failure { throw failure }
        return "there was no earlier generation: the profile's link was removed"
    }

    private func activateAgain(_ previous: Generation) async throws -> String? {
        guard let words = activationWords() else {
            return "the link is back, but nothing could be activated again: \(previous.path) has no script for that"
        }
        try await run(words)
        return nil
    }

    /// By whatever means that generation has, whoever deployed it.
    private func activationWords() -> [String]? {
        if isRunnable("\(link.path)/deploy-rs-activate") { return ["\(link.path)/deploy-rs-activate"] }
        let systemSwitch = "\(link.path)/bin/switch-to-configuration"
        if isRunnable(systemSwitch) { return [systemSwitch, record.policy.boot ? "boot" : "switch"] }
        // Home Manager and nix-darwin: live only, so a boot that failed has nothing to undo with it.
        if isRunnable("\(link.path)/activate"), !record.policy.boot { return ["\(link.path)/activate"] }
        return nil
    }

    private func run(_ words: [String]) async throws {
        let script = Script(
            ScriptLauncher.words(words, link), at: link.path, mode, tempPath: record.tempPath, limit: limit,
            generations.nix.environment)
        let result = try await script.run { @Sendable [events] stream, line in
            events.send(.output(stream: stream, line: line))
        }
        if result.failure(words[0], limit: limit) != nil {
            let text = result.timedOut ? "it did not end within \(limit.components.seconds) s and was ended" : ""
            throw AgentError.toolFailed(words.joined(separator: " "), result.exit, text: text)
        }
    }
}
