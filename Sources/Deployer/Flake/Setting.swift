/// The generic options of the `deploy` attribute; each may stand in a profile, in its node, or in `deploy` itself.
enum Setting: String, Sendable, CaseIterable {
    case sshUser, user, sudo, interactiveSudo, sshOpts, fastConnection, autoRollback, magicRollback, tempPath
    case remoteBuild, confirmTimeout, activationTimeout, buildOn, agentPath, onPartialFailure
    case healthCheck, healthTimeout, probe, criticalUnits, rebootIfStuck
}

/// The levels of the `deploy` attribute and the attributes that each may have besides ``Setting``.
enum AttributeLevel: Sendable, CaseIterable {
    case deploy, node, profile

    /// Attributes whose values come back as they are, to be checked.
    var shown: [String] {
        switch self {
        case .deploy: Setting.allCases.map(\.rawValue)
        case .node: Setting.allCases.map(\.rawValue) + ["hostname", "profilesOrder"]
        case .profile: Setting.allCases.map(\.rawValue) + ["profilePath"]
        }
    }

    /// Attributes that are taken apart.
    var structural: [String] {
        switch self {
        case .deploy: ["nodes"]
        case .node: ["profiles"]
        case .profile: ["path"]
        }
    }

    var known: [String] { shown + structural }
}
