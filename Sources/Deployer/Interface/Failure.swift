import Shared

/// What kept a run from activating anything, told once and turned into an exit code.
struct Failure {
    let error: any Error

    init(_ error: any Error) { self.error = error }

    /// Tells every part of it.
    func tell(on console: Console, wasInterrupted: Bool) -> ExitCode {
        if wasInterrupted { return .interrupted }
        // A Ctrl-C that a question has read: the signal that it stands for is still under way.
        if error is CancellationError {
            console.tell(.warn, "interrupted: stopping; nothing was activated")
            return .interrupted
        }
        if case PromptError.declined = error {
            console.tell(.info, describe(error))
            return .declined
        }
        guard let parts = (error as? PreparationError)?.failures else {
            console.tell(error)
            return Self.code(of: error)
        }
        for part in parts { console.tell(part, node: (part as? StageFailure)?.node) }
        console.tell(.info, "nothing was activated on any node")
        return ExitCode.worst(of: parts.map(Self.code))
    }

    static func code(of error: any Error) -> ExitCode {
        switch error {
        case let failure as StageFailure: code(of: failure.cause)
        case is SSHError: .unreachable
        case PreflightError.held: .locked
        case PromptError.noAnswer: .declined
        case is TargetError: .usage
        case let error as PlanError: error.exitCode
        default: .failed
        }
    }
}
