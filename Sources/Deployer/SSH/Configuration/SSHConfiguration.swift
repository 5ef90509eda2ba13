/// What `ssh` would do for a destination, after the user's and the system's configuration and the node's options.
///
/// Paths and commands are as `ssh -G` prints them: ``Expansion`` turns them into what is used.
struct SSHConfiguration: Sendable, Equatable {
    enum StrictHostKeyChecking: Sendable, Equatable { case yes, no, acceptNew, ask }

    /// The destination's host as the user wrote it, without brackets.
    var originalHost: String
    /// Where to connect.
    var hostName: String
    var port: UInt16 = 22
    var user: String
    var addressFamily = AddressFamily.any
    var bindAddress: String?
    /// No questions on the terminal.
    var isBatch = false
    var connectTimeout: Duration?
    var serverAliveInterval: Duration?
    var serverAliveCount = 3

    /// Both directions, once logged in.
    var compresses = false

    var proxyCommand: String?
    /// The hops, first one first, separated by commas.
    var proxyJump: String?
    /// The configuration file given by `-F`, which a jump host's `ssh` needs too.
    var configurationFile: String?

    var hostKeyAlias: String?
    var strictHostKeyChecking = StrictHostKeyChecking.ask
    var userKnownHostsFiles: [String] = []
    var globalKnownHostsFiles: [String] = []
    var hashesKnownHosts = false
    var skipsLoopbackHostKeys = false

    var ciphers: [String] = []
    var macs: [String] = []
    var keyExchanges: [String] = []
    var hostKeyAlgorithms: [String] = []
    var acceptedKeyAlgorithms: [String] = []

    var identityFiles: [String] = []
    var certificateFiles: [String] = []
    var usesOnlyIdentityFiles = false
    /// Socket of the agent, `SSH_AUTH_SOCK` for the one in the environment, `none`; nil if not set.
    var identityAgent: String?
    /// Methods in the order to try them; nil for ssh's own order.
    var preferredAuthentications: [String]?
    var allowsPublicKey = true
    var allowsPassword = true
    var allowsKeyboardInteractive = true
    var passwordPrompts = 3
    var usesGSSAPI = false

    /// What only the system's `ssh` does, each in the form `ForwardAgent`.
    var needsSystemSSH: [String] = []
}

extension SSHConfiguration {
    /// The methods that this configuration allows, in the order to try them, out of those that this program has.
    var methods: [String] {
        let order = preferredAuthentications ?? ["publickey", "keyboard-interactive", "password"]
        return order.filter { method in
            switch method {
            case "publickey": allowsPublicKey
            case "keyboard-interactive": allowsKeyboardInteractive && !isBatch
            case "password": allowsPassword && !isBatch
            default: false
            }
        }
    }

    /// The name under which the host's key is known: `host`, `[host]:port` or the alias.
    var knownHostName: String {
        if let hostKeyAlias { return hostKeyAlias }
        let host = hostName.lowercased()
        return port == 22 ? host : "[\(host)]:\(port)"
    }

    var isProxied: Bool { proxyCommand != nil || proxyJump != nil }

    /// Name under which secrets and keys are remembered.
    var account: String { "\(user)@\(hostName):\(port)" }

    /// For messages: the name that the user knows, with where it leads if that differs.
    var displayName: String {
        originalHost == hostName ? originalHost : "\(originalHost) (\(hostName))"
    }
}
