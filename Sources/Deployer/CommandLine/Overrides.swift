import Shared

/// Settings of the `deploy` attribute as given on the command line; nil where the flake decides.
struct Overrides: Sendable, Equatable {
    var sshUser: String?
    var profileUser: String?
    /// Words for `ssh`; they replace those of the flake.
    var sshOpts: [String]?
    var fastConnection: Bool?
    var autoRollback: Bool?
    /// Host names or addresses, to be tried in turn.
    var hostnames: [String]?
    var magicRollback: Bool?
    /// Seconds, 0 to 65535.
    var confirmTimeout: Int?
    /// Seconds, 0 to 65535.
    var activationTimeout: Int?
    /// Absolute path.
    var tempPath: String?
    /// Only ever turns it on, as in deploy-rs.
    var remoteBuild = false
    /// Words of the command that takes a user name and a command.
    var sudo: [String]?
    var interactiveSudo: Bool?
    var onPartialFailure: PartialFailurePolicy?
    /// Seconds, 1 to 65535.
    var healthTimeout: Int?
    /// What the flake asks of a node's health does not count.
    var skipsHealthChecks = false
    /// Deploys to this machine, without SSH.
    var isLocal = false
    /// An agent is named on the command line: the flake's `agentPath` does not count.
    var choosesAgent = false

    /// The option among them that makes sense for one node only, if any.
    var forOneNode: String? { hostnames != nil ? "--hostname" : isLocal ? "--local" : nil }
}
