import Glibc
import Shared
import Synchronization

/// Tells the deployer: this project's in JSON lines, deploy-rs's in log lines and the activation's own output.
final class Reporter: Sendable {
    enum Form: Sendable {
        case events
        case log(LegacyLog)
        /// Nobody listens; the verdict is returned.
        case silent
    }

    private let form: Form
    /// What `--log-dir` asks for beside the events; ``Form/log(_:)`` has its own.
    private let log: LegacyLog?
    private let broken = Flag()
    /// A heartbeat must not fall into the middle of another line.
    private let turn = Mutex(())

    init(_ form: Form, log: LegacyLog? = nil) {
        self.form = form
        self.log = log
    }

    /// True once nobody reads any more; what runs on the node goes on.
    var isBroken: Bool { broken.isSet }

    /// True where the deployer is known to be gone, without a word written. For deploy-rs's it is not asked: that one
    /// may as well be a person who threw the output away.
    var hasNoReader: Bool {
        guard case .events = form else { return false }
        var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        return isBroken || poll(&output, 1, 0) > 0
    }

    func send(_ event: AgentEvent) {
        log?.note(event)
        relay(event)
    }

    /// Passes on what a guardian has told, which keeps a log of its own.
    func relay(_ event: AgentEvent) {
        switch form {
        case .events:
            // Our own types: they always encode.
            if let line = try? JSONLine.encode(event) { put(STDOUT_FILENO, line) }
        case .silent: break
        case .log(let log):
            if case .output(let stream, let line) = event {
                put(stream == .stdout ? STDOUT_FILENO : STDERR_FILENO, line)
            } else {
                for (level, text) in event.logLines { log.write(level, text) }
            }
        }
    }

    /// deploy-rs says nothing about a dry run that went well.
    func sendDryRunEnded(_ exit: Exit, timedOut: Bool) {
        if case .log(let log) = form {
            if !exit.isSuccess { log.write(.error, "The activation script ended with \(exit)") }
        } else {
            send(.activationEnded(exit, timedOut: timedOut))
        }
    }

    /// Prints any other value as a line of JSON.
    func sendLine(_ value: some Encodable) {
        if let line = try? JSONLine.encode(value) { put(STDOUT_FILENO, line) }
    }

    func exitCode(_ verdict: Verdict) -> Int32 {
        if case .log = form { return verdict == .committed ? 0 : 1 }
        return verdict.exitCode.rawValue
    }

    func exitCode(_ report: VerdictReport) -> Int32 {
        if case .events = form { return report.exitCode.rawValue }
        return exitCode(report.verdict)
    }

    /// For a holder that would not let us in.
    var lockedCode: Int32 {
        if case .log = form { return 1 }
        return ExitCode.locked.rawValue
    }

    private func put(_ descriptor: Int32, _ line: String) {
        if !turn.withLock({ _ in writeAll(descriptor, line + "\n") }) { broken.set() }
    }
}

extension AgentEvent {
    /// How deploy-rs's users read it.
    var logLines: [(LegacyLog.Level, String)] {
        switch self {
        case .alive, .recovering, .output: []
        case .started: [(.info, "Activating profile")]
        case .warning(let text): [(.warn, text)]
        case .locked(let holder):
            [(.error, "The profile is held by \(holder.deployer) (\(holder.closure)); nothing was changed")]
        case .waitingForLock(let holder, let seconds):
            [
                (
                    .warn,
                    "The profile is held by \(holder.deployer) (\(holder.closure)); waiting, for \(seconds) s at most"
                )
            ]
        case .unitFailed(let unit):
            [(.error, "Failed unit: \(unit.text)")] + unit.lines.map { (.error, $0) }
        case .profileSet(let generation, let isNew):
            [(.debug, "Profile is on generation \(generation)\(isNew ? "" : ", which existed before")")]
        case .activationEnded(let exit, _): exit.isSuccess ? [(.info, "Activation succeeded!")] : []
        case .checkingHealth(let seconds): [(.info, "Checking its health, for \(seconds) s at most")]
        case .healthy(let tries): [(.info, "Healthy (\(tries == 1 ? "1 try" : "\(tries) tries"))")]
        case .awaitingConfirmation(let seconds):
            [
                (.info, "Magic rollback is enabled, setting up confirmation hook..."),
                (.info, "Waiting for confirmation event... (\(seconds) s)"),
            ]
        case .rollingBack(let reason): [(.warn, "De-activating due to error: \(reason)")]
        case .rebooting(let reason, _): [(.warn, "Rebooting into what was put back: \(reason)")]
        case .verdict(let report): report.logLines
        }
    }
}

extension VerdictReport {
    fileprivate var logLines: [(LegacyLog.Level, String)] {
        let place = "the profile is on \(text(generation))"
        let why = reason.map { ": \($0)" } ?? ""
        return switch verdict {
        case .committed: [(.debug, "Committed; \(place)")]
        case .rolledBack: [(.error, "Rolled back\(why); \(place)")]
        case .failed: [(.error, "Nothing was changed\(why); \(place)")]
        case .left: [(.error, "Left as it is, since auto rollback is off\(why); \(place)")]
        case .stuck:
            [
                (.error, "Failed\(why)"),
                (.error, "The rollback failed too: \(rollbackFailure ?? "no reason known"); \(place)"),
            ]
        }
    }
}
