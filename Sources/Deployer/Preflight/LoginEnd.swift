import Shared

/// Finds out whose guardians end with the login that started them: logind may kill what a lost session leaves, and only
/// a user who lingers has a systemd of their own that goes on.
struct LoginEndQuery: Sendable {
    /// Who logs in.
    var sshUser: String
    /// Whose profiles are deployed.
    var users: [String]
    /// In front of every line of the answer, as of the preflight's others.
    var marker: String

    /// The users that it matters for: root's guardian is a unit of the system, and logind spares root's sessions.
    init?(sshUser: String, users: [String], marker: String) {
        let others = Set(users).subtracting(["root"])
        guard sshUser != "root", !others.isEmpty else { return nil }
        self.sshUser = sshUser
        self.users = others.sorted()
        self.marker = marker
    }

    /// A part of the preflight's shell script, which has the marker from here too; says nothing where the login is no
    /// session of logind's.
    var question: String {
        let settings = ["KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers"]
        let logind = "loginctl show-user \(settings.map { "--property=\($0)" }.joined(separator: " "))"
        // A logind that hangs is no reason not to deploy: it is waited for once.
        return """
            (exec 2>/dev/null
            [ -d /run/systemd/system ] && grep -q '/session-[^/]*\\.scope' /proc/self/cgroup || exit 0
            limit=; if command -v timeout >&2; then limit="timeout 5"; fi
            settings=$($limit \(logind)) || exit 0
            printf '%s\\n' "$settings" | while read -r line; do say "$line"; done
            for user in \(shellQuoted(users)); do
                say linger "$user" "$($limit loginctl show-user "$user" --property=Linger --value)"
            done)
            """
    }

    /// Reads from the answer who of these is in danger.
    func endangered(_ text: String) -> [String] {
        var settings: [Substring: Substring] = [:]
        var lingering: Set<Substring> = []
        for line in text.split(separator: "\n") where line.hasPrefix(marker + " ") {
            let words = line.dropFirst(marker.count + 1).split(separator: " ")
            if words.first == "linger", words.count == 3, words[2] == "yes" {
                lingering.insert(words[1])
            } else if let equals = words.first?.firstIndex(of: "="), let first = words.first {
                let rest = ([first[first.index(after: equals)...]] + words.dropFirst()).joined(separator: " ")
                settings[first[..<equals]] = rest[...]
            }
        }
        func names(_ setting: Substring) -> [Substring] { settings[setting]?.split(separator: " ") ?? [] }
        let only = names("KillOnlyUsers")
        guard settings["KillUserProcesses"] == "yes", !names("KillExcludeUsers").contains(sshUser[...]),
            only.isEmpty || only.contains(sshUser[...])
        else { return [] }
        return users.filter { !lingering.contains($0[...]) }
    }
}

/// The words with which root has the agent of another user run as a unit of the system, for an activation that no login's
/// end can reach.
enum RootUnit {
    static func words(for user: String, _ command: [String]) -> [String] {
        let properties = [
            "KillMode=process", "SendSIGKILL=no", "TimeoutStopSec=1s", "OOMPolicy=continue", "WorkingDirectory=/",
        ]
        return ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--uid=\(user)"]
            + properties.map { "--property=\($0)" } + ["--"] + command.map { $0.replacing("$", with: "$$") }
    }
}

extension Preflight {
    /// For each user whose guardian would end with the login: how the login becomes root, who can start it elsewhere.
    ///
    /// Users for whom it cannot are told of.
    ///
    /// - Parameter endangered: what ``LoginEndQuery/endangered(_:)`` read
    func rootStarts(
        _ destination: Destination, _ endangered: [String], _ remote: any Remote, _ profiles: [PlannedProfile],
        _ elevations: [[String]: Elevation]
    ) async throws -> [String: Elevation] {
        var starts: [String: Elevation] = [:]
        for user in endangered {
            guard let profile = profiles.first(where: { $0.user == user }) else { continue }
            if let root = try await root(for: profile, remote, elevations) {
                starts[user] = root
            } else {
                console.tell(
                    .warn,
                    "logind ends what a lost login of \(destination.user) leaves (KillUserProcesses): the watch over an "
                        + "activation of \(user)'s would end with it, and only the next deploy would roll back",
                    node: profile.node)
                console.tell(.hint, "`loginctl enable-linger \(user)` there cures it", node: profile.node)
            }
        }
        return starts
    }

    private func root(
        for profile: PlannedProfile, _ remote: any Remote, _ elevations: [[String]: Elevation]
    ) async throws -> Elevation? {
        let prefix = profile.rootElevation
        let plain = Elevation.wrapped(Elevation.withoutAsking(prefix), ["systemd-run", "--version"])
        if try await Self.answer(remote, plain).exit.isSuccess { return .words(prefix) }
        // A password that was asked for already may do for root too.
        guard case .password(_, let secret) = elevations[profile.elevation] else { return nil }
        let elevation = Elevation.password(prefix, secret)
        let trial = elevation.applied(to: ["systemd-run", "--version"])
        return try await Self.answer(remote, trial.words, input: trial.input).exit.isSuccess ? elevation : nil
    }
}

extension AgentCommand {
    /// Whether it may start a guardian that has to outlive the login.
    var startsGuardian: Bool {
        switch self {
        case .activate(let request): !request.dryActivate
        case .revoke, .recover: true
        case .wait, .confirm, .status, .hold: false
        }
    }
}
