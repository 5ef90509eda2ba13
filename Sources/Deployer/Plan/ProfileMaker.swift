import Shared

/// Resolves the settings of one profile.
struct ProfileMaker {
    let node: NodeName
    let profile: ProfileName
    let hostname: String
    let overrides: Overrides
    var fallbacks: [String] = []
    /// Merged from profile, node and deploy.
    var settings = Settings()

    init(node: NodeName, profile: ProfileName, hostname: String, overrides: Overrides) {
        self.node = node
        self.profile = profile
        self.hostname = hostname
        self.overrides = overrides
    }

    func planned(_ definition: ProfileDefinition, localUser: String) throws(PlanError) -> PlannedProfile {
        try check(Rules.argument(profile.text), [], profile.text)
        try check(Rules.absolutePath(definition.path), ["path"], definition.path)
        // Who runs `deploy` is who is logged in here already.
        let namedSSHUser = overrides.isLocal ? localUser : overrides.sshUser ?? settings.sshUser
        let sshUser = namedSSHUser ?? localUser
        let loginUser = overrides.isLocal ? settings.sshUser : namedSSHUser
        guard let user = overrides.profileUser ?? settings.user ?? loginUser ?? namedSSHUser else {
            throw .noUser(node: node, profile: profile)
        }
        try check(Rules.plainName(sshUser), ["sshUser"], sshUser)
        try check(Rules.userName(user), ["user"], user)
        let options = overrides.sshOpts ?? settings.sshOpts
        for option in options where option.utf8.contains(0) {
            try check("holds a NUL character", ["sshOpts"], option)
        }
        var destination = Destination(host: hostname, user: sshUser, options: options)
        destination.fallbacks = fallbacks
        destination.isLocal = overrides.isLocal
        let place = try buildPlace(destination)
        return PlannedProfile(
            node: node,
            name: profile,
            path: definition.path,
            derivations: definition.derivations,
            destination: destination,
            user: user,
            location: try location(definition, user: user),
            elevation: user == sshUser ? [] : try sudo() + [user],
            rootElevation: try sudo() + ["root"],
            interactiveSudo: overrides.interactiveSudo ?? settings.interactiveSudo ?? false,
            fastConnection: overrides.fastConnection ?? settings.fastConnection ?? false,
            autoRollback: overrides.autoRollback ?? settings.autoRollback ?? true,
            magicRollback: overrides.magicRollback ?? settings.magicRollback ?? true,
            remoteBuild: place != .here,
            tempPath: try tempPath(),
            confirmTimeout: overrides.confirmTimeout ?? settings.confirmTimeout ?? 30,
            activationTimeout: overrides.activationTimeout ?? settings.activationTimeout,
            buildHost: place.host,
            agentPath: try agentPath(),
            onPartialFailure: overrides.onPartialFailure ?? settings.onPartialFailure ?? .rollback,
            healthCheck: try healthCheck(),
            probe: try probe(),
            criticalUnits: try criticalUnits(),
            rebootIfStuck: try rebootIfStuck(definition, user: user)
        )
    }

    /// The agent of anyone but root could not: a profile that asks for it itself is refused, one that its node or the fleet
    /// asks for does without.
    private func rebootIfStuck(_ definition: ProfileDefinition, user: String) throws(PlanError) -> Bool {
        if user == "root" { return settings.rebootIfStuck == true }
        let reason = "is for root's profiles, and this one is \(user)'s: take it out, or set it for a profile of root's"
        try check(definition.settings.rebootIfStuck == true ? reason : nil, ["rebootIfStuck"], "true")
        return false
    }

    private func location(_ definition: ProfileDefinition, user: String) throws(PlanError) -> ProfileLocation {
        if let path = definition.profilePath {
            try check(Rules.absolutePath(path), ["profilePath"], path)
            return .path(path)
        }
        try check(Rules.linkName(profile.text), [], profile.text)
        return .named(user: user, name: profile.text)
    }

    /// The words of `sudo`, read as a shell would, but with nothing expanded.
    private func sudo() throws(PlanError) -> [String] {
        if let words = overrides.sudo { return words }
        guard let text = settings.sudo else { return ["sudo", "-u"] }
        guard let words = shellWords(text), !words.isEmpty, !text.utf8.contains(0) else {
            throw .unusable(path: path + ["sudo"], value: text, reason: "is not a command")
        }
        return words
    }

    private func agentPath() throws(PlanError) -> String? {
        guard !overrides.choosesAgent, let path = settings.agentPath else { return nil }
        try check(Rules.absolutePath(path), ["agentPath"], path)
        return path
    }

    private func buildPlace(_ destination: Destination) throws(PlanError) -> BuildPlace {
        if overrides.remoteBuild { return .node }
        guard let text = settings.buildOn else { return settings.remoteBuild == true ? .node : .here }
        try check(BuildPlace.reason(against: text), ["buildOn"], text)
        return BuildPlace(text, as: destination.user)
    }

    private func tempPath() throws(PlanError) -> String? {
        guard let path = overrides.tempPath ?? settings.tempPath else { return nil }
        try check(Rules.absolutePath(path), ["tempPath"], path)
        return path
    }

    var path: [String] { ["deploy", "nodes", node.text, "profiles", profile.text] }

    func check(_ reason: String?, _ attribute: [String], _ value: String) throws(PlanError) {
        if let reason { throw .unusable(path: path + attribute, value: value, reason: reason) }
    }
}
