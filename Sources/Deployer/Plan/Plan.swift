import Shared

/// A node's name in the flake.
struct NodeName: Sendable, Hashable, Comparable, CustomStringConvertible {
    let text: String
    init(_ text: String) { self.text = text }
    var description: String { text }
    static func < (left: NodeName, right: NodeName) -> Bool { left.text < right.text }
}

/// A profile's name in the flake.
struct ProfileName: Sendable, Hashable, Comparable, CustomStringConvertible {
    let text: String
    init(_ text: String) { self.text = text }
    var description: String { text }
    static func < (left: ProfileName, right: ProfileName) -> Bool { left.text < right.text }
}

/// What will be deployed: the nodes that were asked for, their profiles in the order in which they are activated.
struct Plan: Sendable, Equatable {
    var nodes: [PlannedNode]

    var profiles: [PlannedProfile] { nodes.flatMap(\.profiles) }
}

struct PlannedNode: Sendable, Equatable {
    var name: NodeName
    /// As in the flake, or as overridden on the command line.
    var hostname: String
    var profiles: [PlannedProfile]
    /// Further host names or addresses, to be tried where the first does not answer.
    var fallbacks: [String] = []
}

/// One profile of one node with every setting resolved: profile > node > deploy, then the command line.
struct PlannedProfile: Sendable, Equatable {
    var node: NodeName
    var name: ProfileName
    /// Absolute store path of the closure.
    var path: String
    /// What has to be built for ``path`` to exist; empty for a plain store path.
    var derivations: [Derivation]
    var destination: Destination
    /// The user whose profile it is.
    var user: String
    var location: ProfileLocation
    /// How a command becomes that user's: `["sudo", "-u", "root"]`; empty where `user` is the SSH user.
    var elevation: [String]
    /// How it becomes root's.
    var rootElevation = ["sudo", "-u", "root"]
    var interactiveSudo: Bool
    var fastConnection: Bool
    var autoRollback: Bool
    var magicRollback: Bool
    var remoteBuild: Bool
    /// Absolute path; nil unless it was set.
    var tempPath: String?
    /// Seconds, 30 unless set.
    var confirmTimeout: Int
    /// Seconds; nil unless set.
    var activationTimeout: Int?
    /// Where it is built, if neither here nor on the node: there, as ``Destination``; then ``remoteBuild`` is true.
    var buildHost: Destination?
    /// Absolute path of an agent that is installed on the node; nil where one is sent.
    var agentPath: String?
    var onPartialFailure = PartialFailurePolicy.rollback
    /// Run on the node; nil for none.
    var healthCheck: HealthCheck?
    /// Run here before it is confirmed; nil for none.
    var probe: String?
    /// Units of systemd that have to run after a rollback.
    var criticalUnits: [String] = []
    /// Reboot the node, once, where its rollback does not succeed otherwise.
    var rebootIfStuck = false

    /// `web1.system`, as errors name it.
    var label: String { "\(node).\(name)" }
}

/// A derivation and which of its outputs are wanted.
struct Derivation: Sendable, Hashable {
    /// Absolute store path that ends in `.drv`.
    var path: String
    /// Names such as `out`, sorted; never empty.
    var outputs: [String]
}
