import Shared

/// The last lines of what failed, told once more where other lines may have pushed them off the screen.
struct FailureTails: Sendable {
    let results: [ProfileResult]
    let console: Console

    /// Tells them, unless the one activation of the run was the last thing to be seen anyway.
    func tell() {
        let begun = results.filter { !$0.outcome.isNotStarted }
        for result in begun where result.hasFailed {
            guard begun.count > 1 || result.tail.hasUnseen || !result.tail.rollback.isEmpty else { continue }
            // Taken back for another's sake: its own activation did not fail.
            if case .revoked = result.outcome, result.exitCode == .rolledBack { continue }
            tell(result.tail.activation, "its activation", of: result.profile)
            if result.exitCode == .stuck { tell(result.tail.rollback, "its rollback", of: result.profile) }
        }
    }

    private func tell(_ lines: [String], _ what: String, of profile: PlannedProfile) {
        if lines.isEmpty { return }
        console.tell(.info, "profile \"\(profile.name)\": the last lines of \(what) again:", node: profile.node)
        for line in lines { console.relay(line, from: profile.name.text, node: profile.node) }
    }
}
