import Shared

/// A deployment that cannot be carried out as it is written.
enum PlanError: Explained, Equatable {
    case nothingToDeploy
    case noUser(node: NodeName, profile: ProfileName)
    case noHostname(NodeName)
    /// `profilesOrder` names a profile that the node does not have.
    case unknownInOrder(node: NodeName, ProfileName, known: [String])
    /// An option for one node, such as `--hostname`, with these nodes.
    case forOneNode(option: String, [NodeName])
    /// A name or value that cannot safely be handed to the node's programs.
    case unusable(path: [String], value: String, reason: String)
    /// Two sources have a node of this name with different host names.
    case twoNodes(NodeName)
    /// The same profile is asked for from two sources.
    case twoProfiles(node: NodeName, profile: ProfileName)

    var description: String {
        switch self {
        case .nothingToDeploy: "there is nothing to deploy: no node with a profile was asked for"
        case .noUser(let node, let profile):
            "neither user nor sshUser are set for profile \"\(profile)\" of node \"\(node)\""
        case .noHostname(let node): "node \"\(node)\" has no hostname"
        case .unknownInOrder(let node, let profile, _):
            "profilesOrder of node \"\(node)\" names \"\(profile)\", which is not one of its profiles"
        case .forOneNode(let option, let nodes):
            "\(option) is for one node, but \(nodes.count) are deployed: \(listed(nodes.map(\.text)))"
        case .unusable(let path, let value, let reason):
            "\(NixText.attributePath(path)): \(NixText.string(value)) \(reason)"
        case .twoNodes(let node): "node \"\(node)\" has different host names in two of the flakes"
        case .twoProfiles(let node, let profile): "\(node).\(profile) is asked for from two flakes"
        }
    }

    var hint: String? {
        switch self {
        case .noUser: "set user, or give --profile-user or --ssh-user"
        case .noHostname: "set hostname, or give --hostname"
        case .unknownInOrder(_, _, let known): "it has \(listed(known))"
        case .forOneNode: "name one node, such as .#web1"
        case .nothingToDeploy, .unusable, .twoNodes, .twoProfiles: nil
        }
    }

    /// A command line that asks for what it cannot have, or a deployment that failed before anything changed.
    var exitCode: ExitCode {
        if case .forOneNode = self { .usage } else { .failed }
    }
}
