import Shared

/// What an activation has to stand before it counts as a success.
extension ProfileMaker {
    func healthCheck() throws(PlanError) -> HealthCheck? {
        let commands = (settings.healthCheck ?? []).filter { !$0.isEmpty }
        guard !commands.isEmpty, !overrides.skipsHealthChecks else { return nil }
        for command in commands { try check(Rules.shellText(command), ["healthCheck"], command) }
        let size = commands.reduce(0) { $0 + $1.utf8.count }
        guard size <= HealthCheck.limit else {
            throw .unusable(
                path: path + ["healthCheck"], value: "\(commands[0].prefix(40))…",
                reason: "and what follows have \(size) bytes, \(HealthCheck.limit) at most: put them into the closure")
        }
        return HealthCheck(
            commands, timeout: overrides.healthTimeout ?? settings.healthTimeout ?? StandardLimits.health)
    }

    func probe() throws(PlanError) -> String? {
        guard let text = settings.probe, !text.isEmpty, !overrides.skipsHealthChecks else { return nil }
        try check(Rules.shellText(text), ["probe"], text)
        guard overrides.magicRollback ?? settings.magicRollback ?? true else {
            throw .unusable(
                path: path + ["probe"], value: text.count > 60 ? "\(text.prefix(60))…" : text,
                reason: "decides about the confirmation, and with magicRollback off there is none: set probe = \"\" "
                    + "there, give --skip-health-checks, or leave magicRollback on")
        }
        return text
    }
}
