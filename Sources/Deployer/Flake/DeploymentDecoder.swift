/// Reads the answer of ``EvaluationExpression`` and notes all that is wrong with it, rather than the first thing only.
struct DeploymentDecoder {
    /// False for an answer without closures.
    private let areClosuresKnown: Bool
    private(set) var problems: [AttributeProblem] = []
    private(set) var warnings: [UnknownAttribute] = []

    init(areClosuresKnown: Bool = true) { self.areClosuresKnown = areClosuresKnown }

    /// Never fails: what cannot be read is left out and noted in ``problems``.
    mutating func deployment(_ answer: JSONValue) -> Deployment {
        let path = ["deploy"]
        var reader = reader(path, answer, .deploy)
        let nodes = children(path + ["nodes"], of: answer).sorted { $0.key < $1.key }
        var definitions: [NodeName: NodeDefinition] = [:]
        for (name, value) in nodes { definitions[NodeName(name)] = node(path + ["nodes", name], value) }
        let settings = settings(&reader)
        problems += reader.problems
        return Deployment(settings: settings, nodes: definitions, nodeNames: names(answer).map(NodeName.init))
    }

    private mutating func node(_ path: [String], _ value: JSONValue) -> NodeDefinition {
        var reader = reader(path, value, .node)
        var profiles: [ProfileName: ProfileDefinition] = [:]
        for (name, value) in children(path + ["profiles"], of: value).sorted(by: { $0.key < $1.key }) {
            profiles[ProfileName(name)] = profile(path + ["profiles", name], value)
        }
        let hostnames = reader.oneOrMore("hostname")
        let node = NodeDefinition(
            settings: settings(&reader),
            hostname: hostnames.first,
            profilesOrder: reader.strings("profilesOrder").map(ProfileName.init),
            profiles: profiles,
            profileNames: names(value).map(ProfileName.init),
            fallbacks: Array(hostnames.dropFirst())
        )
        problems += reader.problems
        return node
    }

    private mutating func profile(_ path: [String], _ value: JSONValue) -> ProfileDefinition {
        var reader = reader(path, value, .profile)
        if areClosuresKnown && isSet(value) && value["path"]?.text == nil {
            let found = value["pathType"]?.text.map(typeName)
            problems.append(AttributeProblem(path: path + ["path"], expected: "a derivation or a path", found: found))
        }
        let derivations = (value["derivations"]?.entries ?? [:]).map { path, outputs in
            Derivation(path: path, outputs: outputs.elements.compactMap(\.text).sorted())
        }
        let profile = ProfileDefinition(
            settings: settings(&reader),
            path: value["path"]?.text ?? ProfileDefinition.unknownPath,
            profilePath: reader.string("profilePath"),
            derivations: derivations.filter { !$0.outputs.isEmpty }.sorted { $0.path < $1.path }
        )
        problems += reader.problems
        return profile
    }

    private func settings(_ reader: inout AttributeReader) -> Settings {
        var settings = Settings()
        for setting in Setting.allCases {
            let name = setting.rawValue
            switch setting {
            case .sshUser: settings.sshUser = reader.string(name)
            case .user: settings.user = reader.string(name)
            case .sudo: settings.sudo = reader.string(name)
            case .interactiveSudo: settings.interactiveSudo = reader.boolean(name)
            case .sshOpts: settings.sshOpts = reader.strings(name)
            case .fastConnection: settings.fastConnection = reader.boolean(name)
            case .autoRollback: settings.autoRollback = reader.boolean(name)
            case .magicRollback: settings.magicRollback = reader.boolean(name)
            case .tempPath: settings.tempPath = reader.string(name)
            case .remoteBuild: settings.remoteBuild = reader.boolean(name)
            case .confirmTimeout: settings.confirmTimeout = reader.seconds(name)
            case .activationTimeout: settings.activationTimeout = reader.seconds(name)
            case .buildOn: settings.buildOn = reader.string(name)
            case .agentPath: settings.agentPath = reader.string(name)
            case .onPartialFailure: settings.onPartialFailure = reader.choice(name)
            case .healthCheck: settings.healthCheck = reader.texts(name)
            case .criticalUnits: settings.criticalUnits = reader.list(name)
            case .rebootIfStuck: settings.rebootIfStuck = reader.boolean(name)
            case .probe: settings.probe = reader.string(name)
            case .healthTimeout: settings.healthTimeout = reader.seconds(name, atLeast: 1)
            }
        }
        return settings
    }

    /// Notes a value that is no set, and names that nothing reads.
    private mutating func reader(_ path: [String], _ value: JSONValue, _ level: AttributeLevel) -> AttributeReader {
        if !isSet(value) {
            let found = value["type"]?.text.map(typeName)
            problems.append(AttributeProblem(path: path, expected: "an attribute set", found: found))
        }
        for name in (value["unknown"]?.elements ?? []).compactMap(\.text) {
            note(path + [name], level)
        }
        return AttributeReader(path: path, values: value["values"]?.entries ?? [:])
    }

    /// An attribute that many nodes have is one warning.
    private mutating func note(_ path: [String], _ level: AttributeLevel) {
        if let index = warnings.firstIndex(where: { $0.path.count == path.count && $0.path.last == path.last }) {
            warnings[index].others += 1
        } else {
            let near = path.last.flatMap { nearest(to: $0, among: level.known) }
            warnings.append(UnknownAttribute(path: path, nearest: near))
        }
    }

    private mutating func children(_ path: [String], of value: JSONValue) -> [String: JSONValue] {
        guard isSet(value) else { return [:] }
        let type = value["childrenType"]?.text
        guard type == "set" else {
            // A node without profiles has nothing to deploy; without nodes it is no `deploy` attribute.
            if type == "null" && path.last == "profiles" { return [:] }
            let found = type == "null" ? nil : type.map(typeName)
            problems.append(AttributeProblem(path: path, expected: "an attribute set", found: found))
            return [:]
        }
        return value["children"]?.entries ?? [:]
    }

    private func isSet(_ value: JSONValue) -> Bool { value["type"]?.text == "set" }

    private func names(_ value: JSONValue) -> [String] {
        (value["names"]?.elements ?? []).compactMap(\.text).sorted()
    }
}
