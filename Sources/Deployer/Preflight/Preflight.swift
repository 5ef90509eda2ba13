import Shared

/// A node that can be deployed to: logged in, looked at, and with a way to become each profile's user.
struct ReadyNode: Sendable {
    let plan: PlannedNode
    let connections: [Destination: ReadyConnection]

    /// The connection of a profile of this node.
    func connection(of profile: PlannedProfile) throws(PreflightError) -> ReadyConnection {
        guard let connection = connections[profile.destination] else { throw .notConnected }
        return connection
    }

    /// The connection that copies: the one that the node's daemon trusts most.
    var sender: ReadyConnection {
        get throws(PreflightError) {
            let sorted = connections.values.sorted { $0.destination.description < $1.destination.description }
            guard let connection = sorted.first(where: { $0.destination.user == "root" }) ?? sorted.first else {
                throw .notConnected
            }
            return connection
        }
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
    let nixDaemon: String
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

/// Looks at nodes before anything is built or sent.
struct Preflight: Sendable {
    /// How long a node that has let us in may take for a plain command.
    static let answerLimit = Duration.seconds(30)

    let connector: any Connector
    let agents: AgentBinary
    let console: Console
    let copier: Copier
    /// Asks on the terminal for a password; nil where nobody can be asked.
    let askPassword: @Sendable (String) async throws -> Secret?
    /// File with the secret key that signs what is built; unsigned if nil.
    var signingKey: String?

    /// Logs in with every connection that the node's profiles need, and looks around.
    ///
    /// - Throws: ``StageFailure``, its cause an ``SSHError``, ``PreflightError`` or ``AgentBinaryError``
    func prepare(_ node: PlannedNode) async throws -> ReadyNode {
        var connections: [Destination: ReadyConnection] = [:]
        for profile in node.profiles where connections[profile.destination] == nil {
            let sharing = node.profiles.filter { $0.destination == profile.destination }
            do {
                connections[profile.destination] = try await connect(profile.destination, sharing)
            } catch {
                for connection in connections.values { await connection.login.close() }
                throw StageFailure(node: node.name, profile: nil, stage: .preflight, cause: error)
            }
        }
        let ready = ReadyNode(plan: node, connections: connections)
        try tellTrust(of: ready)
        return ready
    }

    /// Tells, before anything is built, where what is copied will need a signature.
    private func tellTrust(of node: ReadyNode) throws {
        guard node.plan.profiles.contains(where: { !$0.remoteBuild || $0.buildHost != nil }) else { return }
        let connection = try node.sender
        guard let warning = connection.trust.warning(connection.destination, signing: signingKey, copier) else {
            return
        }
        console.tell(.warn, warning.text, node: node.plan.name)
        console.tell(.hint, warning.hint, node: node.plan.name)
    }

    /// Logs in once and looks around; without profiles that is all.
    func connect(_ destination: Destination, _ profiles: [PlannedProfile]) async throws -> ReadyConnection {
        let remote = try await connector.connect(destination)
        do {
            return try await look(destination, remote, profiles)
        } catch {
            await remote.close()
            throw error
        }
    }

    private func look(
        _ destination: Destination, _ remote: any Remote, _ profiles: [PlannedProfile]
    ) async throws -> ReadyConnection {
        let prefixes = Array(Set(profiles.map(\.elevation))).filter { !$0.isEmpty }.sorted {
            $0.description < $1.description
        }
        var query = NodeFactsQuery(agents: Array(agents.paths.values), elevations: prefixes, marker: try Nonce.random())
        query.installed = Array(Set(profiles.compactMap(\.agentPath))).sorted()
        query.probes = probes(prefixes, profiles)
        let answer = try await answer(remote, query.words)
        console.tell(.debug, "preflight of \(destination) ended with \(answer.exit)", node: profiles.first?.node)
        let facts = try query.parse(answer.text)
        guard let nixDaemon = facts.nixDaemon else { throw PreflightError.noNix }
        let agent = agents.path(for: facts.system)
        try facts.checkInstalled(profiles)
        if agent == nil, let node = profiles.first?.node {
            console.tell(.info, "no agent for \(facts.system) is sent: the closures' own are driven", node: node)
        }
        var elevations: [[String]: Elevation] = [:]
        for prefix in prefixes {
            let isInteractive = profiles.contains { $0.elevation == prefix && $0.interactiveSudo }
            elevations[prefix] = try await elevation(
                prefix, facts.elevations[prefix], probe: query.probe(prefix), isInteractive: isInteractive, destination,
                remote)
        }
        let connection = ReadyConnection(
            destination: destination, login: NodeLogin(remote, to: destination, connector: connector),
            nixDaemon: nixDaemon, agent: agent, elevations: elevations, system: facts.system,
            trust: remote is LocalRemote ? NixTrust(isOwner: true) : facts.trust,
            // Only our own agent has a guardian.
            rootStarts: try await rootStarts(
                destination, remote, profiles.filter { agent != nil || $0.agentPath != nil }, elevations))
        if let agent, !facts.agents.contains(agent), let node = profiles.first?.node {
            console.tell(.debug, "sending the agent \(agent)", node: node)
            try await console.during(Activity(.agent, node: node)) {
                try await copier.copy([agent], to: connection, node: node, usesSubstitutes: false)
            }
        }
        return connection
    }

    /// What is run as another user to see whether it may be: with an installed agent, what a rule for just that allows.
    private func probes(_ prefixes: [[String]], _ profiles: [PlannedProfile]) -> [[String]: [String]] {
        var probes: [[String]: [String]] = [:]
        for prefix in prefixes {
            let paths = profiles.filter { $0.elevation == prefix }.map(\.agentPath)
            if let path = paths.first ?? nil, paths.allSatisfy({ $0 == path }) { probes[prefix] = [path, "--version"] }
        }
        return probes
    }

    private func elevation(
        _ prefix: [String], _ test: NodeFacts.ElevationTest?, probe: [String], isInteractive: Bool,
        _ destination: Destination, _ remote: any Remote
    ) async throws -> Elevation {
        if test == nil || test?.works == true { return .words(prefix) }
        guard isInteractive else { throw refusal(prefix, test) }
        guard Elevation.readsPassword(prefix) else { throw PreflightError.takesNoPassword(elevation: prefix) }
        // It would not be sent: nobody need type it.
        if let doubt = await remote.doubt { throw doubt.error }
        var reason = ""
        for _ in 0..<3 {
            let question = "(\(prefix.joined(separator: " ")) on \(destination)) Password: "
            guard let secret = try await askPassword(question) else {
                throw PreflightError.nobodyToAsk(elevation: prefix)
            }
            let elevation = Elevation.password(prefix, secret)
            let trial = elevation.applied(to: probe)
            let result = try await answer(remote, trial.words, input: trial.input)
            if result.exit.isSuccess { return elevation }
            reason = lastLines(1, of: result.errorText).first ?? ""
            console.tell(.warn, PreflightError.wrongPassword(elevation: prefix, reason: reason).description)
        }
        throw PreflightError.wrongPassword(elevation: prefix, reason: reason)
    }

    /// Why commands cannot become that user's without a password.
    private func refusal(_ prefix: [String], _ test: NodeFacts.ElevationTest?) -> PreflightError {
        guard let test, Elevation.canRefuseToAsk(prefix), test.status != 127, test.status != 126 else {
            return .elevationFailed(elevation: prefix, reason: test?.reason ?? "it was not tried")
        }
        return .passwordNeeded(elevation: prefix)
    }

    /// Runs a command that has to answer at once.
    func answer(_ remote: any Remote, _ words: [String], input: RemoteInput = .none) async throws -> RemoteResult {
        let limit = Preflight.answerLimit
        guard let result = try await before(.now + limit, { try await remote.run(words, input: input, limit: 1 << 20) })
        else { throw PreflightError.silent(after: limit) }
        return result
    }
}
