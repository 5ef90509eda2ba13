import Shared

/// All that is known once a closure's own agent has ended or was lost, and what follows from it.
///
/// deploy-rs's agent has two ends, status 0 and 1: what happened is read off the profile's link.
struct ClosureFacts: Sendable {
    var closure: String
    var before: ProfileLook
    /// Nil if the node could not be reached again.
    var after: ProfileLook?
    /// Nil if contact was lost before its end.
    var exit: RemoteExit?
    /// Why it is not known, where ``exit`` is nil.
    var loss = ""
    /// The last lines that it wrote.
    var lines: [String] = []
    var autoRollback: Bool
    /// The canary was seen: the activation itself had succeeded.
    var wasActivated = false
    /// We took the canary, and the agent's deadline has passed since or it has ended.
    var isConfirmed = false

    /// What deploy-rs's agent says last when the rollback itself failed (`ActivateError::Deactivate`): its exit status is
    /// the same as for a rollback that went well, so this sentence is all there is to tell them apart.
    static let failedRollback = "There was an error de-activating after an error was encountered"

    var outcome: ProfileOutcome {
        guard let after else { return .unknown(ClosureAgentError.noVerdict(reason: reason, generation: nil)) }
        guard let exit else { return lost(after) }
        if exit.isSuccess { return succeeded(after) }
        return failed(after, exit)
    }

    /// Without a nonce, which these agents do not have.
    private func ended(_ report: VerdictReport) -> ProfileOutcome { .ended(report, nonce: "") }

    private var reason: String {
        guard let exit else { return "contact was lost (\(loss))" }
        let complaint = lines.last { !$0.isEmpty }.map { ": \($0)" } ?? ""
        return "the closure's own agent ended with \(exit)\(complaint)"
    }

    private func succeeded(_ after: ProfileLook) -> ProfileOutcome {
        if after.generation?.path == closure { return ended(VerdictReport(.committed, generation: after.generation)) }
        return ended(
            VerdictReport(
                .stuck, generation: after.generation,
                reason: "the closure's own agent reported success, but the link is not on \(closure)"))
    }

    private func failed(_ after: ProfileLook, _ exit: RemoteExit) -> ProfileOutcome {
        if after.stamp == before.stamp {
            // Wrong usage, not executable, not found: it did not even begin.
            if [.code(2), .code(126), .code(127)].contains(exit) {
                return .notActivated(AgentFailure(exit: exit, lines: lines))
            }
            return ended(VerdictReport(.failed, generation: after.generation, reason: reason))
        }
        let wantsRollback = autoRollback || wasActivated
        if after.generation?.path == closure {
            guard wantsRollback else {
                return ended(VerdictReport(.left, generation: after.generation, reason: reason))
            }
            return stuck(after, "the link is still on the new generation")
        }
        guard let old = before.generation, after.generation?.path == old.path else {
            let was = before.generation?.label ?? "no generation"
            return stuck(after, "deploy-rs's agent goes one generation back, and that was not the recorded one, \(was)")
        }
        if lines.contains(where: { $0.contains(ClosureFacts.failedRollback) }) {
            return stuck(after, "the link is back, but the old generation was not activated again")
        }
        return ended(VerdictReport(.rolledBack, generation: after.generation, reason: reason))
    }

    private func stuck(_ after: ProfileLook, _ failure: String) -> ProfileOutcome {
        ended(VerdictReport(.stuck, generation: after.generation, reason: reason, rollbackFailure: failure))
    }

    /// Only a confirmation that was accepted, and a link that stayed where it is past the deadline, tell something.
    private func lost(_ after: ProfileLook) -> ProfileOutcome {
        if isConfirmed, after.generation?.path == closure {
            return ended(
                VerdictReport(
                    .committed, generation: after.generation,
                    reason: "\(reason) after the confirmation; the link has stayed where it is"))
        }
        return .unknown(ClosureAgentError.noVerdict(reason: reason, generation: after.generation))
    }
}
