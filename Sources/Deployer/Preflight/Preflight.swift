import Shared

/// Looks at nodes while the flake is evaluated, before anything is sent to them.
struct Preflight: Sendable {
    /// How long a node that has let us in may take for a plain command.
    static let answerLimit = Duration.seconds(30)

    let connector: any Connector
    let agents: AgentBinary
    let console: Console
    let copier: Copier
    /// Room for nodes that are copied to.
    let copies: Slots
    /// Asks on the terminal for a password; nil where nobody can be asked.
    let askPassword: @Sendable (String) async throws -> Secret?
    /// Whether activations follow that have to outlive their login.
    var startsGuardians = true

    /// Logs in with every connection that the node's profiles need, and looks around.
    ///
    /// - Throws: ``StageFailure``, its cause an ``SSHError``, ``PreflightError`` or ``AgentBinaryError``; `CancellationError`
    func prepare(_ node: PlannedNode) async throws -> ReadyNode {
        var connections: [Destination: ReadyConnection] = [:]
        var statuses: [ProfileName: ProfileStatus] = [:]
        for profile in node.profiles where connections[profile.destination] == nil {
            let sharing = node.profiles.filter { $0.destination == profile.destination }
            do {
                let (connection, found) = try await connect(profile.destination, sharing)
                connections[profile.destination] = connection
                statuses.merge(found) { $1 }
            } catch {
                for connection in connections.values { await connection.login.close() }
                if error is CancellationError { throw error }
                throw StageFailure(node: node.name, profile: nil, stage: .preflight, cause: error)
            }
        }
        return ReadyNode(plan: node, connections: connections, statuses: statuses)
    }

    typealias Look = (connection: ReadyConnection, statuses: [ProfileName: ProfileStatus])

    /// Logs in once and looks around; without profiles that is all.
    func connect(_ destination: Destination, _ profiles: [PlannedProfile]) async throws -> Look {
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
    ) async throws -> Look {
        let groups = Preflight.groups(of: profiles)
        let marker = try Nonce.random()
        let loginEnd =
            startsGuardians
            ? LoginEndQuery(sshUser: destination.user, users: profiles.map(\.user), marker: marker) : nil
        let query = NodeFactsQuery(
            agents: agents.paths,
            groups: groups.map {
                .init(
                    elevation: $0[0].elevation, agentPath: $0[0].agentPath, profiles: $0.map(\.location))
            },
            loginEnd: loginEnd, marker: marker)
        await remote.staysInUse(reaching: NodeStore.standardSocket)
        let answer = try await Self.answer(remote, query.words)
        console.tell(.debug, "preflight of \(destination) ended with \(answer.exit)", node: profiles.first?.node)
        let facts = try query.parse(answer.text)
        guard facts.nixDaemon ?? facts.nixStore != nil else { throw PreflightError.noNix }
        let store = NodeStore(
            socket: try await daemonSocket(facts, remote, profiles.first?.node), daemon: facts.nixDaemon,
            store: facts.nixStore)
        if facts.nixDaemon == nil {
            console.tell(.debug, "there is no nix-daemon: copies go over ssh://", node: profiles.first?.node)
        }
        try facts.checkInstalled(profiles)
        var agent = agents.path(for: facts.system)
        let isAgentThere = agent.map(facts.agents.contains) ?? true
        if !isAgentThere { agent = try await agents.pathToCopy(for: facts.system) }
        if agent == nil, let node = profiles.first?.node {
            console.tell(.info, "no agent for \(facts.system) is sent: the closures' own are driven", node: node)
        }
        if let name = facts.missingUsers.min() { throw PreflightError.noUser(name) }
        var elevations: [[String]: Elevation] = [:]
        for prefix in facts.elevations.keys.sorted(by: { $0.description < $1.description }) {
            let isInteractive = profiles.contains { $0.elevation == prefix && $0.interactiveSudo }
            elevations[prefix] = try await elevation(
                prefix, facts.elevations[prefix], probe: query.probe(prefix), isInteractive: isInteractive, destination,
                remote)
        }
        let connection = ReadyConnection(
            destination: destination, login: NodeLogin(remote, to: destination, connector: connector),
            store: store, agent: agent, elevations: elevations, system: facts.system,
            trust: remote is LocalRemote ? NixTrust(isOwner: true) : facts.trust,
            // Only our own agent has a guardian.
            rootStarts: try await rootStarts(
                destination, loginEnd?.endangered(answer.text) ?? [], remote,
                profiles.filter { agent != nil || $0.agentPath != nil }, elevations))
        if !isAgentThere, let agent, let node = profiles.first?.node {
            console.tell(.debug, "sending the agent \(agent)", node: node)
            try await copies.use {
                try await console.during(Activity(.agent, node: node)) {
                    try await copier.copy([agent], to: connection, node: node, usesSubstitutes: false)
                }
            }
        }
        var statuses: [ProfileName: ProfileStatus] = [:]
        for (index, profiles) in groups.enumerated() where !connection.usesClosureAgent(for: profiles[0]) {
            let hadToWait =
                (!isAgentThere && profiles[0].agentPath == nil)
                || facts.elevations[profiles[0].elevation]?.works == false
            let found = hadToWait ? try await ask(profiles, connection, remote) : facts.statuses[index] ?? []
            for (profile, status) in zip(profiles, found) { statuses[profile.name] = status }
        }
        return (connection, statuses)
    }

    /// The path of a daemon's socket that can be reached from here, as far as is known.
    private func daemonSocket(_ facts: NodeFacts, _ remote: any Remote, _ node: NodeName?) async throws -> String? {
        guard remote.forwardsSockets, let path = facts.nixSocket else { return nil }
        // Any other one is told of once it is needed.
        if path != NodeStore.standardSocket { return path }
        if try await remote.reaches(path) { return path }
        console.tell(.debug, "\(CopyError.socket(path, isRefused: true)); nix-daemon --stdio is used", node: node)
        return nil
    }

    /// What the first question could not tell yet; none where one of the profiles cannot be read.
    private func ask(
        _ profiles: [PlannedProfile], _ connection: ReadyConnection, _ remote: any Remote
    ) async throws -> [ProfileStatus] {
        guard let first = profiles.first else { return [] }
        let command = connection.agentCommand(.status(StatusRequest(profiles.map(\.location))), for: first)
        let result = try await Self.answer(remote, command.words, input: command.input)
        let lines = result.text.split(separator: "\n").compactMap { try? JSONLine.decode(ProfileStatus.self, from: $0) }
        return result.exit.isSuccess && lines.count == profiles.count ? lines : []
    }

    /// Those that become their user in the same way and have the same agent, in a stable order; none is empty.
    private static func groups(of profiles: [PlannedProfile]) -> [[PlannedProfile]] {
        Dictionary(grouping: profiles) { [$0.agentPath ?? ""] + $0.elevation }
            .sorted { $0.key.description < $1.key.description }.map(\.value)
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
            let result = try await Self.answer(remote, trial.words, input: trial.input)
            if result.exit.isSuccess { return elevation }
            reason = Elevation.reason(lastLines(1, of: result.errorText).first ?? "")
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
    static func answer(
        _ remote: any Remote, _ words: [String], input: RemoteInput = .none
    ) async throws -> RemoteResult {
        let limit = answerLimit
        guard let result = try await before(.now + limit, { try await remote.run(words, input: input, limit: 1 << 20) })
        else { throw PreflightError.silent(after: limit) }
        return result
    }
}
