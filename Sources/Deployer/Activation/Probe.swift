import Shared
import Synchronization

/// `probe` of the flake: a shell text that this machine runs once an activation can be confirmed, and before it confirms.
struct Probe: Sendable {
    private static let interval = Duration.seconds(1)
    private static let lineCount = 10

    let text: String
    let profile: PlannedProfile
    let console: Console

    /// Tries it once a second until it succeeds.
    ///
    /// - Parameter deadline: when the last try is ended; at least one is made
    /// - Returns: why it failed; nil if it succeeded
    /// - Throws: `CancellationError` once a cancelled try has ended
    func failure(until deadline: ContinuousClock.Instant) async throws -> ProbeFailure? {
        let begun = ContinuousClock.now
        var tries = 0
        // What it said when it had the time to.
        var answer: LocalResult?
        while true {
            tries += 1
            let started = ContinuousClock.now
            let limit = max(deadline - started, .milliseconds(1))
            let result: LocalResult
            do {
                result = try await command.run(outputLimit: 64 << 10, timeLimit: limit)
            } catch let error as LocalCommandError {
                return ProbeFailure(reason: "the probe could not be run: \(error)", lines: [])
            }
            if result.exit.isSuccess, !result.timedOut { return nil }
            if !result.timedOut { answer = result }
            let next = max(started + Self.interval, .now)
            guard next < deadline else { return failure(answer ?? result, tries, .now - begun, isCut: result.timedOut) }
            try await ContinuousClock().sleep(until: next)
        }
    }

    private var command: LocalCommand {
        var command = LocalCommand(["/bin/sh", "-c", text])
        command.environment["DEPLOY_NODE"] = profile.node.text
        command.environment["DEPLOY_HOSTNAME"] = profile.destination.host
        command.environment["DEPLOY_PROFILE"] = profile.name.text
        return command
    }

    /// - Parameter isCut: the last try was ended with the time that there was
    private func failure(_ result: LocalResult, _ tries: Int, _ time: Duration, isCut: Bool) -> ProbeFailure {
        let stopped = "it did not end and was stopped"
        let end = result.timedOut ? stopped : "\(result.exit)" + (isCut ? "; the last time \(stopped)" : "")
        let times = tries == 1 ? "1 try" : "\(tries) tries"
        let lines = [result.text, result.errorText].flatMap { lastLines(Self.lineCount, of: $0) }
            .filter { !$0.isEmpty }
        return ProbeFailure(reason: "the probe failed, \(times) in \(preciseText(time)): \(end)", lines: lines)
    }
}

/// Why an activation is not confirmed although it could be.
struct ProbeFailure: Error, Equatable, CustomStringConvertible {
    let reason: String
    /// What the last try wrote last; of those that ended by themselves, if any did.
    let lines: [String]

    var description: String {
        lines.isEmpty ? reason : "\(reason); \(lines.suffix(3).joined(separator: " / "))"
    }
}

/// The one answer of a probe to whether an activation may be confirmed, however often and by whatever way that is tried.
final class Probing: Sendable {
    private enum Answer {
        case healthy
        case failed(ProbeFailure)
    }

    private let answer = Mutex<Answer?>(nil)

    /// Runs the profile's probe, if it has one, unless that is done already.
    ///
    /// - Parameter window: when the node rolls back by itself
    /// - Returns: why it must not be confirmed; nil if it may be
    func failure(
        _ profile: PlannedProfile, _ console: Console, window: ContinuousClock.Instant
    ) async throws -> ProbeFailure? {
        guard let text = profile.probe else { return nil }
        switch answer.withLock({ $0 }) {
        case .healthy: return nil
        case .failed(let failure): return failure
        case nil: break
        }
        let probe = Probe(text: text, profile: profile, console: console)
        let activity = Activity(.probe, node: profile.node, profile: profile.name)
        console.report(.began(activity))
        defer { console.report(.ended(activity)) }
        // A confirmation takes its time, too.
        let rest = window - .now
        let failure = try await probe.failure(until: window - min(.seconds(5), rest / 4))
        answer.withLock { $0 = failure.map { .failed($0) } ?? .healthy }
        tell(failure, profile, console)
        return failure
    }

    private func tell(_ failure: ProbeFailure?, _ profile: PlannedProfile, _ console: Console) {
        guard let failure else {
            return console.tell(.debug, "profile \"\(profile.name)\": its probe succeeded", node: profile.node)
        }
        for line in failure.lines { console.relay(line, from: "probe", node: profile.node) }
        console.tell(
            .error, "profile \"\(profile.name)\": \(failure.reason); it is not confirmed", node: profile.node)
    }
}
