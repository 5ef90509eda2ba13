/// The subcommands that ``AgentCommand`` knows.
enum AgentSubcommand: String {
    case activate, wait, revoke, confirm, status, recover, hold

    /// How many plain words may follow.
    var pathLimit: Int {
        switch self {
        case .activate, .wait: 1
        case .hold: .max
        case .revoke, .confirm, .status, .recover: 0
        }
    }

    var takesProfile: Bool { self != .wait && self != .hold }

    /// The options besides those of a profile.
    var options: Set<String> {
        switch self {
        case .activate:
            [
                "--temp-path", "--confirm-timeout", "--magic-rollback", "--auto-rollback", "--dry-activate", "--boot",
                "--nonce", "--deployer", "--activation-timeout", "--on-partial-failure", "--wait-lock",
                "--health-check", "--health-timeout", "--critical-unit", "--reboot-if-stuck",
            ]
        case .wait: ["--temp-path", "--activation-timeout"]
        case .revoke: ["--nonce", "--reason"]
        case .confirm: ["--nonce", "--observe", "--await-start"]
        case .status: ["--history"]
        case .recover: ["--background"]
        case .hold: []
        }
    }
}

/// What was found on the agent's command line after the subcommand.
struct AgentWords {
    var paths: [String] = []
    private var closure: String? { paths.first }
    private var values: [String: String] = [:]
    /// Of options that may be given more than once.
    private var lists: [String: [String]] = [:]
    private var flags: Set<String> = []
    private var profiles: [ProfileLocation] = []
    private var user: String?
    private var name: String?

    private static let plainFlags: Set = [
        "--magic-rollback", "--auto-rollback", "--dry-activate", "--boot", "--background", "--observe",
        "--await-start", "--reboot-if-stuck",
    ]
    private static let repeatable: Set = ["--health-check", "--critical-unit"]
    private static let profileOptions: Set = ["--profile-path", "--profile-user", "--profile-name"]

    mutating func take(
        _ option: String, for command: AgentSubcommand, _ reader: inout OptionReader
    ) throws(AgentUsageError) {
        if Self.profileOptions.contains(option), command.takesProfile {
            return try takeProfile(option, try reader.value(option))
        }
        guard command.options.contains(option) else { throw .unknownOption(option) }
        guard values[option] == nil, !flags.contains(option) else { throw .repeated(option: option) }
        if Self.plainFlags.contains(option) {
            flags.insert(option)
        } else if Self.repeatable.contains(option) {
            lists[option, default: []].append(try reader.value(option))
        } else {
            values[option] = try reader.value(option)
        }
    }

    func command(_ name: AgentSubcommand) throws(AgentUsageError) -> AgentCommand {
        switch name {
        case .activate: .activate(try activateRequest())
        case .wait:
            .wait(
                WaitRequest(
                    closure: try required(closure, "the closure"),
                    tempPath: try value("--temp-path"),
                    activationTimeout: try number("--activation-timeout")
                )
            )
        case .revoke: .revoke(try revokeRequest())
        case .confirm: .confirm(try confirmRequest())
        case .status: .status(StatusRequest(try allProfiles(), history: try number("--history") ?? 0))
        case .recover: .recover(try allProfiles(orNone: true), background: flags.contains("--background"))
        case .hold: .hold(try required(paths.isEmpty ? nil : paths, "a store path"))
        }
    }

    private mutating func takeProfile(_ option: String, _ value: String) throws(AgentUsageError) {
        switch option {
        case "--profile-path": profiles.append(.path(value))
        case "--profile-user":
            guard user == nil else { throw .repeated(option: option) }
            user = value
        default:
            guard name == nil else { throw .repeated(option: option) }
            name = value
        }
        guard let user, let name else { return }
        profiles.append(.named(user: user, name: name))
        self.user = nil
        self.name = nil
    }

    private func activateRequest() throws(AgentUsageError) -> ActivateRequest {
        var request = ActivateRequest(
            closure: try required(closure, "the closure"),
            profile: try profile(),
            tempPath: try value("--temp-path"),
            confirmTimeout: try required(number("--confirm-timeout"), "option --confirm-timeout")
        )
        request.magicRollback = flags.contains("--magic-rollback")
        request.autoRollback = flags.contains("--auto-rollback")
        request.dryActivate = flags.contains("--dry-activate")
        request.boot = flags.contains("--boot")
        request.session = try session()
        return request
    }

    private func confirmRequest() throws(AgentUsageError) -> ConfirmRequest {
        var request = ConfirmRequest(profile: try profile(), nonce: try required(nonce(), "option --nonce"))
        request.observes = flags.contains("--observe")
        request.awaitsStart = flags.contains("--await-start")
        if request.awaitsStart, !request.observes {
            throw .missing("option --observe, which --await-start goes with,")
        }
        return request
    }

    private func revokeRequest() throws(AgentUsageError) -> RevokeRequest {
        var request = RevokeRequest(profile: try profile(), nonce: try nonce())
        request.reason = values["--reason"]
        if request.reason != nil, request.nonce == nil {
            throw .missing("option --nonce, which --reason goes with,")
        }
        return request
    }

    private func session() throws(AgentUsageError) -> ActivateRequest.Session? {
        guard let nonce = try nonce() else {
            let options = [
                "--deployer", "--activation-timeout", "--on-partial-failure", "--wait-lock", "--health-check",
                "--health-timeout", "--critical-unit", "--reboot-if-stuck",
            ]
            for option in options
            where values[option] != nil || lists[option] != nil || flags.contains(option) {
                throw .missing("option --nonce, which \(option) goes with,")
            }
            return nil
        }
        let timeout = try number("--activation-timeout")
        guard timeout != 0 else {
            throw .invalidValue(option: "--activation-timeout", value: "0", expected: "a number from 1 to 65535")
        }
        var session = ActivateRequest.Session(
            nonce: nonce, activationTimeout: timeout, deployer: values["--deployer"] ?? "unknown")
        session.onPartialFailure = try partialFailurePolicy()
        session.waitLock = try number("--wait-lock") ?? 0
        session.healthCheck = try healthCheck()
        session.criticalUnits = lists["--critical-unit"] ?? []
        session.rebootIfStuck = flags.contains("--reboot-if-stuck")
        return session
    }

    private func healthCheck() throws(AgentUsageError) -> HealthCheck? {
        let timeout = try number("--health-timeout")
        guard timeout != 0 else {
            throw .invalidValue(option: "--health-timeout", value: "0", expected: "a number from 1 to 65535")
        }
        guard let commands = lists["--health-check"] else {
            if timeout != nil { throw .missing("option --health-check, which --health-timeout goes with,") }
            return nil
        }
        return HealthCheck(commands, timeout: timeout ?? StandardLimits.health)
    }

    private func partialFailurePolicy() throws(AgentUsageError) -> PartialFailurePolicy {
        guard let text = values["--on-partial-failure"] else { return .rollback }
        guard let policy = PartialFailurePolicy(rawValue: text) else {
            throw .invalidValue(option: "--on-partial-failure", value: text, expected: "rollback or warn")
        }
        return policy
    }

    private func allProfiles(orNone: Bool = false) throws(AgentUsageError) -> [ProfileLocation] {
        if user != nil { throw .missing("option --profile-name, which --profile-user goes with,") }
        if name != nil { throw .missing("option --profile-user, which --profile-name goes with,") }
        guard orNone || !profiles.isEmpty else {
            throw .missing("option --profile-path, or --profile-user and --profile-name,")
        }
        return profiles
    }

    private func profile() throws(AgentUsageError) -> ProfileLocation {
        let profiles = try allProfiles()
        guard profiles.count > 1 else { return profiles[0] }
        if Set(profiles.map(\.isPath)).count == 2 { throw .conflict("--profile-path", "--profile-user") }
        throw .repeated(option: profiles[0].isPath ? "--profile-path" : "--profile-user")
    }

    private func nonce() throws(AgentUsageError) -> String? {
        guard let nonce = values["--nonce"] else { return nil }
        guard nonce.utf8.count == 32, nonce.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
            throw .invalidValue(option: "--nonce", value: nonce, expected: "32 hexadecimal digits")
        }
        return nonce
    }

    private func number(_ option: String) throws(AgentUsageError) -> Int? {
        guard let text = values[option] else { return nil }
        guard let number = UInt16(text) else {
            throw .invalidValue(option: option, value: text, expected: "a number from 0 to 65535")
        }
        return Int(number)
    }

    private func value(_ option: String) throws(AgentUsageError) -> String {
        try required(values[option], "option \(option)")
    }

    private func required<Value>(_ value: Value?, _ what: String) throws(AgentUsageError) -> Value {
        guard let value else { throw .missing(what) }
        return value
    }
}

extension ProfileLocation {
    fileprivate var isPath: Bool {
        if case .path = self { true } else { false }
    }
}
