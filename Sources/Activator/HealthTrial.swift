import Shared
import Synchronization

/// How a health check ended.
struct HealthFinding: Sendable, Equatable {
    var tries = 0
    /// Why it counts as failed; nil if it succeeded.
    var failure: String?
    /// What the last try wrote last, oldest first; of those that ended by themselves, if it failed so before.
    var lines: [String] = []
}

/// Tries a health check until all of it succeeds or its time is over.
struct HealthTrial: Sendable {
    private static let lineCount = 10
    private static let interval = Duration.seconds(1)

    let check: HealthCheck
    /// Makes the script of one command that may run for so long.
    let script: @Sendable (_ command: String, _ limit: Duration) -> Script

    /// Waits for the first success, or for the end of its time; a try that hangs is ended with its whole group then.
    ///
    /// - Throws: ``LocalCommandError``, ``SystemError`` if a command cannot be started
    func run() async throws -> HealthFinding {
        let end = bootTime() + Duration.seconds(check.timeout).nanoseconds
        var tries = 0
        // What failed when it had the time to.
        var answer: Failure?
        while true {
            tries += 1
            let started = bootTime()
            guard let failure = try await firstFailure(until: end) else { return HealthFinding(tries: tries) }
            if !failure.result.timedOut || answer?.command != failure.command { answer = failure }
            let pause = max(0, started + Self.interval.nanoseconds - bootTime())
            guard bootTime() + pause < end else {
                return finding(answer ?? failure, tries, isCut: failure.result.timedOut)
            }
            try? await Task.sleep(for: .nanoseconds(pause))  // cancelling is not used here
        }
    }

    private struct Failure {
        let command: String
        let result: Script.Result
        let lines: [String]
    }

    private func firstFailure(until end: Int64) async throws -> Failure? {
        for command in check.commands {
            let lines = Mutex<[String]>([])
            // Of a time that is over as soon as it begins, the least is left.
            let limit = Duration.nanoseconds(max(1_000_000, end - bootTime()))
            let result = try await script(command, limit).run { @Sendable _, line in
                lines.withLock { $0 = $0.suffix(Self.lineCount - 1) + [line] }
            }
            if result.timedOut || !result.exit.isSuccess {
                return Failure(command: command, result: result, lines: lines.withLock { $0 })
            }
        }
        return nil
    }

    /// - Parameter isCut: the last try was ended with the time that there was
    private func finding(_ failure: Failure, _ tries: Int, isCut: Bool) -> HealthFinding {
        let command = Record.bounded(failure.command, 100)
        let stopped = "it did not end and was stopped"
        let exit = failure.result.exit
        let end = failure.result.timedOut ? stopped : "\(exit)" + (isCut ? "; the last time \(stopped)" : "")
        let words = failure.lines.suffix(3).map { Record.bounded($0, 200) }.joined(separator: " / ")
        let times = tries == 1 ? "1 try" : "\(tries) tries"
        let reason = "health check \"\(command)\" failed, \(times) in \(check.timeout) s: \(end)"
        return HealthFinding(
            tries: tries, failure: words.isEmpty ? reason : "\(reason); \(words)", lines: failure.lines)
    }
}

extension Duration {
    /// In nanoseconds, as the clock since boot counts.
    fileprivate var nanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}
