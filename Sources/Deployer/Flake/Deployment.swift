import Shared

/// The asked-for part of a `deploy` attribute, with every type checked.
struct Deployment: Sendable, Equatable {
    var settings: Settings
    var nodes: [NodeName: NodeDefinition]
    /// Also of the nodes that were not asked for; sorted.
    var nodeNames: [NodeName]
}

struct NodeDefinition: Sendable, Equatable {
    var settings: Settings
    /// Nil if the flake does not set it.
    var hostname: String?
    var profilesOrder: [ProfileName]
    var profiles: [ProfileName: ProfileDefinition]
    /// Also of the profiles that were not asked for; sorted.
    var profileNames: [ProfileName]
    /// Further host names or addresses, to be tried where the first does not answer.
    var fallbacks: [String] = []
}

struct ProfileDefinition: Sendable, Equatable {
    /// Stands for a path that is not known yet.
    static let unknownPath = "/"

    var settings: Settings
    var path: String
    var profilePath: String?
    var derivations: [Derivation]
}

/// The generic options of one level; nil where that level does not set them.
struct Settings: Sendable, Equatable {
    var sshUser: String?
    var user: String?
    var sudo: String?
    var interactiveSudo: Bool?
    var sshOpts: [String] = []
    var fastConnection: Bool?
    var autoRollback: Bool?
    var magicRollback: Bool?
    var tempPath: String?
    var remoteBuild: Bool?
    var confirmTimeout: Int?
    var activationTimeout: Int?
    var buildOn: String?
    var agentPath: String?
    var onPartialFailure: PartialFailurePolicy?
    /// Shell texts; empty for none.
    var healthCheck: [String]?
    var healthTimeout: Int?
    /// Shell text; empty for none.
    var probe: String?
    var criticalUnits: [String]?
    var rebootIfStuck: Bool?

    /// These options, those of the outer level where unset, and both levels' `sshOpts`, the inner one's first.
    ///
    /// - Note: as `GenericSettings` in deploy-rs `src/data.rs` merges
    func merging(outer: Settings) -> Settings {
        Settings(
            sshUser: sshUser ?? outer.sshUser,
            user: user ?? outer.user,
            sudo: sudo ?? outer.sudo,
            interactiveSudo: interactiveSudo ?? outer.interactiveSudo,
            sshOpts: sshOpts + outer.sshOpts,
            fastConnection: fastConnection ?? outer.fastConnection,
            autoRollback: autoRollback ?? outer.autoRollback,
            magicRollback: magicRollback ?? outer.magicRollback,
            tempPath: tempPath ?? outer.tempPath,
            remoteBuild: remoteBuild ?? outer.remoteBuild,
            confirmTimeout: confirmTimeout ?? outer.confirmTimeout,
            activationTimeout: activationTimeout ?? outer.activationTimeout,
            buildOn: buildOn ?? outer.buildOn,
            agentPath: agentPath ?? outer.agentPath,
            onPartialFailure: onPartialFailure ?? outer.onPartialFailure,
            healthCheck: healthCheck ?? outer.healthCheck,
            healthTimeout: healthTimeout ?? outer.healthTimeout,
            probe: probe ?? outer.probe,
            criticalUnits: criticalUnits ?? outer.criticalUnits,
            rebootIfStuck: rebootIfStuck ?? outer.rebootIfStuck
        )
    }
}
