import Shared

/// A node that can be deployed to: logged in, looked at, and with a way to become each profile's user.
struct ReadyNode: Sendable {
    let plan: PlannedNode
    let connections: [Destination: ReadyConnection]
    /// Where its profiles stood when they were looked at; of those where the node could tell.
    let statuses: [ProfileName: ProfileStatus]

    /// The connection of a profile of this node.
    func connection(of profile: PlannedProfile) throws(PreflightError) -> ReadyConnection {
        guard let connection = connections[profile.destination] else { throw .notConnected }
        return connection
    }

    /// Whether a profile is activated as deploy-rs does it, by what lies in its closure.
    func usesClosureAgent(for profile: PlannedProfile) -> Bool {
        connections[profile.destination]?.usesClosureAgent(for: profile) ?? false
    }

    /// The connection that the node's daemon trusts most.
    func sender() throws(PreflightError) -> ReadyConnection {
        let sorted = connections.values.sorted { $0.destination.description < $1.destination.description }
        guard let connection = sorted.first(where: { $0.destination.user == "root" }) ?? sorted.first else {
            throw .notConnected
        }
        return connection
    }

    /// The generation that a profile stays on: it is on its closure already, and the node's journal says that it was
    /// activated and committed, last of all. Nil for anything less certain.
    func unchanged(_ profile: PlannedProfile) -> Generation? {
        guard let status = statuses[profile.name], status.holder == nil, let generation = status.generation,
            let activation = status.activation, activation.state == .committed, activation.isForBoot != true,
            activation.closure == profile.path, generation.path == profile.path,
            activation.report?.generation == generation,
            status.system.map({ $0.running == $0.ofGeneration }) ?? true
        else { return nil }
        return generation
    }

    /// Ends its connections.
    func close() async {
        for connection in connections.values { await connection.login.close() }
    }
}

/// One login on a node.
struct ReadyConnection: Sendable {
    let destination: Destination
    let login: NodeLogin
    let store: NodeStore
    /// Store path of the agent for this node; nil where there is none, and the closures' own `activate-rs` has to do.
    let agent: String?
    let elevations: [[String]: Elevation]
    /// In Nix's words, such as `x86_64-linux`.
    var system = ""
    /// Whether the node's Nix takes what this user sends.
    var trust = NixTrust()
    /// For each user whose guardian would end with the login: how root, who starts it elsewhere, can be had.
    var rootStarts: [String: Elevation] = [:]

    /// The words and standard input that run the agent as a profile's user.
    func agentCommand(
        _ command: AgentCommand, options: AgentOptions = AgentOptions(), for profile: PlannedProfile
    ) -> (words: [String], input: RemoteInput) {
        let words = [program(for: profile)] + command.words(options)
        if command.startsGuardian, !usesClosureAgent(for: profile), let root = rootStarts[profile.user] {
            return root.applied(to: RootUnit.words(for: profile.user, words))
        }
        return self.command(words, as: profile)
    }

    /// The words and standard input that run a command as a profile's user.
    func command(_ words: [String], as profile: PlannedProfile) -> (words: [String], input: RemoteInput) {
        (elevations[profile.elevation] ?? .none).applied(to: words)
    }

    /// Whether a profile is activated as deploy-rs does it, by what lies in its closure.
    func usesClosureAgent(for profile: PlannedProfile) -> Bool { agent == nil && profile.agentPath == nil }

    /// The agent that works on a profile.
    private func program(for profile: PlannedProfile) -> String {
        profile.agentPath ?? agent.map { "\($0)/bin/activate" } ?? "\(profile.path)/activate-rs"
    }
}
