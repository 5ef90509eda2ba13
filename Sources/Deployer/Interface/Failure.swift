import Shared

/// What kept a run from activating anything, told once and turned into an exit code.
struct Failure {
    private static let nothing = "nothing was activated on any node"

    let error: any Error
    /// False for a run that was never to activate anything, such as `status`.
    let isDeploy: Bool

    init(_ error: any Error, isDeploy: Bool) {
        self.error = error
        self.isDeploy = isDeploy
    }

    /// Tells every part of it.
    func tell(on console: Console, wasInterrupted: Bool) -> ExitCode {
        if wasInterrupted { return .interrupted }
        if case PromptError.declined = error {
            console.tell(.info, describe(error))
            return .declined
        }
        guard let error = error as? PreparationError else {
            console.tell(error)
            let code = Self.code(of: error)
            if isDeploy && code == .failed { console.tell(.info, Self.nothing) }
            return code
        }
        for part in error.untold { console.tell(part, node: (part as? StageFailure)?.node) }
        if isDeploy { console.tell(.info, Self.nothing) }
        return ExitCode.worst(of: error.failures.map(Self.code))
    }

    static func code(of error: any Error) -> ExitCode {
        switch error {
        case let failure as StageFailure: code(of: failure.cause)
        case SSHError.noProgram: .failed
        case is SSHError: .unreachable
        case PreflightError.held: .locked
        case PromptError.noAnswer: .declined
        case is TargetError: .usage
        case let error as PlanError: error.exitCode
        default: .failed
        }
    }
}
