/// Every option; its raw value is the long name without dashes.
enum OptionName: String, Sendable, CaseIterable {
    case targets, file, checksigs, interactive
    case debugLogs = "debug-logs"
    case logDir = "log-dir"
    case keepResult = "keep-result"
    case resultPath = "result-path"
    case skipChecks = "skip-checks"
    case remoteBuild = "remote-build"
    case sshUser = "ssh-user"
    case profileUser = "profile-user"
    case sshOpts = "ssh-opts"
    case fastConnection = "fast-connection"
    case autoRollback = "auto-rollback"
    case hostname, local
    case magicRollback = "magic-rollback"
    case confirmTimeout = "confirm-timeout"
    case activationTimeout = "activation-timeout"
    case tempPath = "temp-path"
    case onPartialFailure = "on-partial-failure"
    case healthTimeout = "health-timeout"
    case skipHealthChecks = "skip-health-checks"
    case waitLock = "wait-lock"
    case history
    case dryActivate = "dry-activate"
    case boot
    case force
    case rollbackSucceeded = "rollback-succeeded"
    case sudo
    case interactiveSudo = "interactive-sudo"
    case agent
    case sshTransport = "ssh-transport"
    case compress
    case parallel
    case maxCopies = "max-copies"
    case maxActivations = "max-activations"
    case maxJobsEval = "max-jobs-eval"
    case noBarrier = "no-barrier"
    case timings, json
    case help, version

    /// What follows an option.
    enum Value: Sendable {
        case none
        case word
        /// A word that may start with a dash.
        case anyWord
        /// One word or more, up to the next option.
        case words
        /// None, or what stands behind `=`, or the next word if it ends so: any other may be a target.
        case optional(ending: String)
    }

    var long: String { "--\(rawValue)" }

    var short: Character? {
        switch self {
        case .file: "f"
        case .checksigs: "c"
        case .interactive: "i"
        case .debugLogs: "d"
        case .keepResult: "k"
        case .resultPath: "r"
        case .skipChecks: "s"
        case .help: "h"
        case .version: "V"
        default: nil
        }
    }

    var value: Value {
        switch self {
        case .targets: .words
        case .sshOpts: .anyWord
        case .timings: .optional(ending: ".html")
        case .checksigs, .interactive, .debugLogs, .keepResult, .skipChecks, .skipHealthChecks, .remoteBuild,
            .dryActivate, .boot, .force, .noBarrier, .local, .json, .help, .version:
            .none
        default: .word
        }
    }
}
