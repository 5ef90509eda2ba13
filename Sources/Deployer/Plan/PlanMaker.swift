import Shared

/// Makes a plan of what was evaluated: settings merged, defaults filled in, the command line on top, all names checked.
struct PlanMaker: Sendable {
    var overrides = Overrides()
    /// The SSH user where nobody names one.
    var localUser: String

    /// - Parameter evaluations: one for each source
    /// - Returns: nodes sorted by name; profiles by `profilesOrder`, then by name
    /// - Note: as `make_deploy_data` and `DeployData::defs` in deploy-rs `src/lib.rs`
    func plan(_ evaluations: [Evaluation]) throws(PlanError) -> Plan {
        var nodes: [PlannedNode] = []
        for evaluation in evaluations {
            for (name, node) in evaluation.deployment.nodes.sorted(by: { $0.key < $1.key }) {
                let planned = try plannedNode(name, node, evaluation)
                try add(planned, to: &nodes)
            }
        }
        nodes.removeAll(where: \.profiles.isEmpty)
        if nodes.isEmpty { throw .nothingToDeploy }
        if let option = overrides.forOneNode, nodes.count > 1 { throw .forOneNode(option: option, nodes.map(\.name)) }
        return Plan(nodes: nodes.sorted { $0.name < $1.name })
    }

    private func add(_ node: PlannedNode, to nodes: inout [PlannedNode]) throws(PlanError) {
        guard let index = nodes.firstIndex(where: { $0.name == node.name }) else {
            nodes.append(node)
            return
        }
        if nodes[index].hostname != node.hostname || nodes[index].fallbacks != node.fallbacks {
            throw .twoNodes(node.name)
        }
        let present = Set(nodes[index].profiles.map(\.name))
        if let twice = node.profiles.first(where: { present.contains($0.name) }) {
            throw .twoProfiles(node: node.name, profile: twice.name)
        }
        nodes[index].profiles += node.profiles
    }

    private func plannedNode(
        _ name: NodeName, _ node: NodeDefinition, _ evaluation: Evaluation
    ) throws(PlanError) -> PlannedNode {
        let path = ["deploy", "nodes", name.text]
        try check(Rules.argument(name.text), path, name.text)
        let hostnames = overrides.hostnames ?? (node.hostname.map { [$0] + node.fallbacks } ?? [])
        guard let hostname = hostnames.first ?? (overrides.isLocal ? "localhost" : nil) else { throw .noHostname(name) }
        for hostname in hostnames { try check(Rules.plainName(hostname), path + ["hostname"], hostname) }
        var profiles: [PlannedProfile] = []
        for profile in try order(name, node, evaluation.request) {
            guard let definition = node.profiles[profile] else { continue }
            var maker = ProfileMaker(node: name, profile: profile, hostname: hostname, overrides: overrides)
            maker.fallbacks = Array(hostnames.dropFirst())
            maker.settings = definition.settings.merging(outer: node.settings)
                .merging(outer: evaluation.deployment.settings)
            profiles.append(try maker.planned(definition, localUser: localUser))
        }
        return PlannedNode(name: name, hostname: hostname, profiles: profiles, fallbacks: Array(hostnames.dropFirst()))
    }

    /// The order in which a node's profiles are activated, each once.
    private func order(
        _ name: NodeName, _ node: NodeDefinition, _ request: EvaluationRequest
    ) throws(PlanError) -> [ProfileName] {
        let known = Set(node.profileNames)
        // deploy-rs too ignores the order where profiles are named one by one.
        if request.asksForAllProfiles(of: name), let wrong = node.profilesOrder.first(where: { !known.contains($0) }) {
            throw .unknownInOrder(node: name, wrong, known: node.profileNames.map(\.text))
        }
        var seen: Set<ProfileName> = []
        return (node.profilesOrder + node.profiles.keys.sorted()).filter { seen.insert($0).inserted }
    }

    private func check(_ reason: String?, _ path: [String], _ value: String) throws(PlanError) {
        if let reason { throw .unusable(path: path, value: value, reason: reason) }
    }
}

extension EvaluationRequest {
    /// Whether a node was asked for as a whole.
    fileprivate func asksForAllProfiles(of node: NodeName) -> Bool {
        guard case .named(let nodes) = nodes, case .named = nodes[node] else { return true }
        return false
    }
}
