import Shared

/// What is asked of one source: everything, or some nodes, each whole or with some of its profiles.
struct EvaluationRequest: Sendable, Equatable {
    enum Nodes: Sendable, Equatable {
        case all
        case named([NodeName: Profiles])
    }

    enum Profiles: Sendable, Equatable {
        case all
        case named(Set<ProfileName>)
    }

    var source: Source
    var nodes: Nodes

    /// One request for each source, in the order in which the sources are first named.
    static func grouping(_ targets: [Target]) -> [EvaluationRequest] {
        var requests: [EvaluationRequest] = []
        for target in targets {
            if let index = requests.firstIndex(where: { $0.source == target.source }) {
                requests[index].add(target)
            } else {
                var request = EvaluationRequest(source: target.source, nodes: .named([:]))
                request.add(target)
                requests.append(request)
            }
        }
        return requests
    }

    private mutating func add(_ target: Target) {
        guard case .named(var chosen) = nodes else { return }
        guard let node = target.node.map(NodeName.init) else {
            nodes = .all
            return
        }
        switch (chosen[node], target.profile.map(ProfileName.init)) {
        case (.all, _): break
        case (_, nil): chosen[node] = .all
        case (.named(let profiles), let profile?): chosen[node] = .named(profiles.union([profile]))
        case (nil, let profile?): chosen[node] = .named([profile])
        }
        nodes = .named(chosen)
    }

    /// The request as JSON: null for all nodes, else an object with null, or a list of profile names, for each node.
    var json: String {
        get throws {
            guard case .named(let chosen) = nodes else { return "null" }
            var object: [String: [String]?] = [:]
            for (node, profiles) in chosen {
                if case .named(let names) = profiles {
                    object.updateValue(names.map(\.text).sorted(), forKey: node.text)
                } else {
                    object.updateValue(nil, forKey: node.text)
                }
            }
            return try JSONLine.encode(object)
        }
    }
}
