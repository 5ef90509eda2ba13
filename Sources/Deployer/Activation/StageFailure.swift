import Shared

/// Where in a deployment something happens, as errors name it.
enum Stage: String, Sendable {
    case preflight, agent = "sending the agent", copy, build = "remote build", activation, revoke
}

/// A failure with the place it belongs to; nothing has changed on the node before ``Stage/activation``.
struct StageFailure: Error, CustomStringConvertible, Explained {
    let node: NodeName
    let profile: ProfileName?
    let stage: Stage
    let cause: any Error

    var description: String {
        let place = profile.map { "profile \"\($0)\": " } ?? ""
        return "\(place)\(stage.rawValue) failed: \(describe(cause))"
    }

    var hint: String? {
        if case SSHError.lost = cause, !changesNode {
            return "nothing has changed on the node; deploy again once it can be reached: what it has is not sent twice"
        }
        return Deployer.hint(for: cause)
    }

    private var changesNode: Bool { stage == .activation || stage == .revoke }
}
