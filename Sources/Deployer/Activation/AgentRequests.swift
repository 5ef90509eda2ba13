import Shared

extension PlannedProfile {
    /// What the agent is asked for to activate this profile for good.
    func activation(nonce: String, _ mode: ActivationMode) -> ActivateRequest {
        var request = common(nonce: nonce, timeout: activationTimeout(mode), mode)
        request.boot = mode.boot
        request.session?.onPartialFailure = onPartialFailure
        request.session?.criticalUnits = criticalUnits
        request.session?.rebootIfStuck = rebootIfStuck && !mode.boot
        request.session?.waitLock = mode.waitLock
        request.session?.healthCheck = mode.boot ? nil : healthCheck
        return request
    }

    /// What the agent is asked for to say what that would do.
    func rehearsal(nonce: String, _ mode: ActivationMode) -> ActivateRequest {
        var request = common(nonce: nonce, timeout: rehearsalTimeout, mode)
        request.dryActivate = true
        return request
    }

    /// Seconds; the default holds only while the node waits for a confirmation afterwards.
    func activationTimeout(_ mode: ActivationMode) -> Int? {
        activationTimeout ?? (magicRollback && !mode.boot ? StandardLimits.activation : nil)
    }

    /// How much longer a node may take to its verdict since it may reboot.
    func rebootLimit(_ mode: ActivationMode) -> Duration {
        guard rebootIfStuck, !mode.boot else { return .zero }
        return Watchdog.rollbackLimit(activationTimeout(mode).map { .seconds($0) }) + .seconds(StandardLimits.reboot)
    }

    /// Seconds.
    var rehearsalTimeout: Int { activationTimeout ?? StandardLimits.activation }

    private func common(nonce: String, timeout: Int?, _ mode: ActivationMode) -> ActivateRequest {
        var request = ActivateRequest(
            closure: path, profile: location, tempPath: tempPath ?? "/tmp", confirmTimeout: confirmTimeout)
        request.magicRollback = magicRollback
        request.autoRollback = autoRollback
        request.session = .init(nonce: nonce, activationTimeout: timeout, deployer: mode.deployer)
        return request
    }
}
