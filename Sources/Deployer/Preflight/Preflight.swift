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
    /// Store path of the agent for this node.
    let agent: String
    let elevations: [[String]: Elevation]
    /// For each user whose guardian would end with the login: how root, who starts it elsewhere, can be had.
    var rootStarts: [String: Elevation] = [:]

    /// The words and standard input that run the agent as a profile's user.
    func agentCommand(
        _ command: AgentCommand, options: AgentOptions = AgentOptions(), for profile: PlannedProfile
    ) -> (words: [String], input: RemoteInput) {
        let words = ["\(agent)/bin/activate"] + command.words(options)
        if command.startsGuardian, let root = rootStarts[profile.user] {
            return root.applied(to: RootUnit.words(for: profile.user, words))
        }
        return (elevations[profile.elevation] ?? .none).applied(to: words)
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

    /// Logs in with every connection that the node's profiles need, and looks around.
    ///
    /// - Throws: ``StageFailure``, its cause an ``SSHError``, ``PreflightError`` or ``AgentBinaryError``; `CancellationError`
    func prepare(_ node: PlannedNode) async throws -> ReadyNode {
        var connections: [Destination: ReadyConnection] = [:]
        for profile in node.profiles where connections[profile.destination] == nil {
            let sharing = node.profiles.filter { $0.destination == profile.destination }
            do {
                connections[profile.destination] = try await connect(profile.destination, sharing)
            } catch {
                for connection in connections.values { await connection.login.close() }
                if error is CancellationError { throw error }
                throw StageFailure(node: node.name, profile: nil, stage: .preflight, cause: error)
            }
        }
        return ReadyNode(plan: node, connections: connections)
    }

    private func connect(_ destination: Destination, _ profiles: [PlannedProfile]) async throws -> ReadyConnection {
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
        let query = NodeFactsQuery(agents: Array(agents.paths.values), elevations: prefixes, marker: try Nonce.random())
        let answer = try await answer(remote, query.words)
        console.tell(.debug, "preflight of \(destination) ended with \(answer.exit)", node: profiles.first?.node)
        let facts = try query.parse(answer.text)
        guard let nixDaemon = facts.nixDaemon else { throw PreflightError.noNix }
        let agent = try agents.path(for: facts.system)
        var elevations: [[String]: Elevation] = [:]
        for prefix in prefixes {
            let isInteractive = profiles.contains { $0.elevation == prefix && $0.interactiveSudo }
            elevations[prefix] = try await elevation(
                prefix, facts.elevations[prefix], isInteractive: isInteractive, destination, remote)
        }
        let connection = ReadyConnection(
            destination: destination, login: NodeLogin(remote, to: destination, connector: connector),
            nixDaemon: nixDaemon, agent: agent, elevations: elevations,
            rootStarts: try await rootStarts(destination, remote, profiles, elevations))
        if !facts.agents.contains(agent), let node = profiles.first?.node {
            console.tell(.debug, "sending the agent \(agent)", node: node)
            try await console.during(Activity(.agent, node: node)) {
                try await copier.copy([agent], to: connection, node: node, usesSubstitutes: false)
            }
        }
        return connection
    }

    private func elevation(
        _ prefix: [String], _ test: NodeFacts.ElevationTest?, isInteractive: Bool, _ destination: Destination,
        _ remote: any Remote
    ) async throws -> Elevation {
        if test == nil || test?.works == true { return .words(prefix) }
        guard isInteractive else { throw refusal(prefix, test) }
        // It would not be sent: nobody need type it.
        if let doubt = await remote.doubt { throw doubt.error }
        for _ in 0..<3 {
            let question = "(\(prefix.joined(separator: " ")) on \(destination)) Password: "
            guard let secret = try await askPassword(question) else {
                throw PreflightError.nobodyToAsk(elevation: prefix)
            }
            let elevation = Elevation.password(prefix, secret)
            let trial = elevation.applied(to: ["true"])
            if try await answer(remote, trial.words, input: trial.input).exit.isSuccess { return elevation }
            console.tell(.warn, PreflightError.wrongPassword(elevation: prefix).description)
        }
        throw PreflightError.wrongPassword(elevation: prefix)
    }

    /// Why commands cannot become that user's without a password.
    private func refusal(_ prefix: [String], _ test: NodeFacts.ElevationTest?) -> PreflightError {
        guard let test, Elevation.canRefuseToAsk(prefix), test.status != 127 else {
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
