/// A part of a run that takes time.
enum Phase: String, Sendable, CaseIterable {
    // Of the run as a whole.
    case evaluation, checks, build
    // Of one node.
    case preflight, agent, copy, remoteBuild
    // Of one profile on its node.
    case activation, healthCheck, confirmation, probe, rollback, revocation, verification

    /// The head of its column in a table.
    var heading: String {
        switch self {
        case .evaluation: "EVALUATE"
        case .checks: "CHECK"
        case .build: "BUILD"
        case .preflight: "CONNECT"
        case .agent: "AGENT"
        case .copy: "COPY"
        case .remoteBuild: "BUILD THERE"
        case .activation: "ACTIVATE"
        case .healthCheck: "HEALTH"
        case .confirmation: "CONFIRM"
        case .probe: "PROBE"
        case .rollback: "ROLL BACK"
        case .revocation: "TAKE BACK"
        case .verification: "VERIFY"
        }
    }

    /// What is being done while it lasts.
    var verb: String {
        switch self {
        case .evaluation: "evaluating"
        case .checks: "checking"
        case .build: "building"
        case .preflight: "connecting"
        case .agent: "sending the agent"
        case .copy: "copying"
        case .remoteBuild: "building there"
        case .activation: "activating"
        case .healthCheck: "checking its health"
        case .confirmation: "confirming"
        case .probe: "probing"
        case .rollback: "rolling back"
        case .revocation: "taking it back"
        case .verification: "looking again after the rollback"
        }
    }
}

/// A phase with what it belongs to.
struct Activity: Sendable, Hashable {
    var phase: Phase
    /// Nil for the run as a whole.
    var node: NodeName?
    /// Nil for all that the node gets at once.
    var profile: ProfileName?

    init(_ phase: Phase, node: NodeName? = nil, profile: ProfileName? = nil) {
        self.phase = phase
        self.node = node
        self.profile = profile
    }
}
