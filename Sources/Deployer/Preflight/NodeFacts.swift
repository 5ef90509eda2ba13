import Shared

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a node says about itself before anything is sent to it.
struct NodeFacts: Sendable, Equatable {
    /// In Nix's words, such as `x86_64-linux`.
    var system: String
    /// Absolute path of `nix-daemon`; nil if there is none in any known folder.
    var nixDaemon: String?
    /// Absolute path of `nix-store`, in the same way.
    var nixStore: String?
    /// The socket on which a Nix daemon listens, as it seems; nil if there is none.
    var nixSocket: String?
    /// Store paths of agents that are there.
    var agents: Set<String>
    /// How each elevation that was asked for went without a password.
    var elevations: [[String]: ElevationTest]
    /// Users who are asked for and unknown to the node.
    var missingUsers: Set<String> = []
    /// Where the profiles stand, by their group's place in the question; only of groups that could be read whole.
    var statuses: [Int: [ProfileStatus]] = [:]
    /// What the agents installed there say as their version, by path; empty where one does not run.
    var installed: [String: String] = [:]
    /// Whether the node's Nix takes what this user sends.
    var trust = NixTrust()

    struct ElevationTest: Sendable, Equatable {
        /// Exit status of the command; 127: there is no such program.
        var status: Int
        /// What it wrote, on one line; may be empty.
        var text: String

        var works: Bool { status == 0 }
        var reason: String { text.isEmpty ? "exit status \(status)" : text }
    }

    /// Notes how an elevation went; for one that several groups need, a failure counts.
    fileprivate mutating func note(_ test: ElevationTest, of elevation: [String]) {
        if elevations[elevation]?.works ?? true { elevations[elevation] = test }
    }
}

/// The one plain shell command that asks for them; nothing of ours needs to be on the node yet.
struct NodeFactsQuery: Sendable {
    /// Agents to look for, store paths.
    var agents: [String]
    var groups: [Group]
    /// What a login's end does to what it left running; nil where that is known.
    var loginEnd: LoginEndQuery?
    /// In front of every line of the answer, so that a login banner cannot be mistaken for one.
    var marker: String

    /// Profiles that take the same words to become their user, and the same agent.
    struct Group: Sendable, Equatable {
        /// Empty where the SSH user is the profiles' user.
        var elevation: [String]
        /// The agent that is installed on the node for them, an absolute path; nil for the one that is sent.
        var agentPath: String?
        var profiles: [ProfileLocation]
    }

    /// The agents installed on the node, each to be asked for its version.
    var installed: [String] { Set(groups.compactMap(\.agentPath)).sorted() }

    /// What is run behind an elevation to try it: with an installed agent, what a rule for just that allows.
    func probe(_ prefix: [String]) -> [String] {
        let paths = Set(groups.filter { $0.elevation == prefix }.map(\.agentPath))
        guard paths.count == 1, let path = paths.first ?? nil else { return ["true"] }
        return [path, "--version"]
    }

    /// Where Nix is when a non-interactive shell's PATH does not have it.
    static let nixFolders = [
        "/run/current-system/sw/bin", "/nix/var/nix/profiles/default/bin", "$HOME/.nix-profile/bin",
        "$HOME/.local/state/nix/profile/bin", "/usr/local/bin", "/usr/bin",
    ]

    /// Works in any POSIX shell, and as one quoted word from any login shell.
    var words: [String] { ["sh", "-c", script] }

    private var script: String {
        var lines = [
            #"say() { printf '%s %s\n' \#(shellQuoted(marker)) "$*"; }"#,
            // Every subshell is a process; so are the sides of a pipe.
            #"look() { printf '%s %s ' \#(shellQuoted(marker)) "$1"; command -v "$2" || echo; }"#,
            "set -f",
            #"say system $(uname -s -m)"#,
            "PATH=\"$PATH:\(NodeFactsQuery.nixFolders.joined(separator: ":"))\"",
            "look daemon nix-daemon",
            "socket=${NIX_DAEMON_SOCKET_PATH:-${NIX_STATE_DIR:-/nix/var/nix}/daemon-socket/socket}",
            #"[ ! -S "$socket" ] || say socket "$socket""#,
            "look store nix-store",
            "agent= plain=",
        ]
        lines += NixTrust.questions
        lines += agents.map(question)
        for (index, path) in installed.enumerated() {
            lines.append("say installed \(index) \"$(\(shellQuoted(path)) --version 2>/dev/null)\"")
        }
        for (index, group) in groups.enumerated() {
            lines.append(index == plainGroup ? tell(index) : question(group, index))
        }
        if let loginEnd { lines.append(loginEnd.question) }
        return (lines + ["say end"]).joined(separator: "\n")
    }

    /// The group whose question the agent answers without any elevation, as soon as it is found.
    private var plainGroup: Int? { groups.firstIndex { $0.elevation.isEmpty && $0.agentPath == nil } }

    /// Whether an agent is there and runs: one that was cut short, or another system's, is none. Where it can be asked
    /// for what it is to tell anyway, that is the proof.
    private func question(_ agent: String) -> String {
        let found = "agent=$program; say agent \(shellQuoted(agent))"
        let version = #"if "$program" --version >/dev/null 2>&1; then \#(found); fi"#
        let look = "program=\(shellQuoted(agent))/bin/activate"
        guard let plainGroup else { return "\(look)\n\(version)" }
        let status = shellQuoted(AgentCommand.status(StatusRequest(groups[plainGroup].profiles)).words())
        return """
            \(look)
            if told=$("$program" \(status) </dev/null 2>/dev/null); then \(found); plain=$told
            else \(version); fi
            """
    }

    /// What the ``plainGroup`` was told.
    private func tell(_ index: Int) -> String { #"[ -z "$plain" ] || \#(statuses(index, "plain"))"# }

    private func statuses(_ index: Int, _ variable: String) -> String {
        """
        while IFS= read -r line; do say status \(index) "$line"; done <<END
        $\(variable)
        END
        """
    }

    /// Asks the agent, which tries the elevation as well; where that fails, the elevation alone, for the reason, and
    /// whether there is such a user, which `sudo` tells nobody whom it would ask for a password.
    private func question(_ group: Group, _ index: Int) -> String {
        let prefix = Elevation.withoutAsking(group.elevation)
        let status = shellQuoted(AgentCommand.status(StatusRequest(group.profiles)).words())
        // `su` takes the command as one text.
        let command =
            Elevation.program(prefix) == "su"
            ? #"\#(shellQuoted(prefix)) -c "'$program' "\#(shellQuoted(status))"#
            : #"\#(shellQuoted(prefix)) "$program" \#(status)"#
        let probe = shellQuoted(Elevation.wrapped(prefix, self.probe(group.elevation)))
        let user = shellQuoted(group.elevation.last ?? "")
        let failed =
            prefix.isEmpty
            ? ":"
            : """
            text=$(\(probe) </dev/null 2>&1 >/dev/null); say elevation \(index) $? $text
            id -u -- \(user) >/dev/null 2>&1 || [ $? != 1 ] || say nobody \(index)
            """
        return """
            program=\(group.agentPath.map(shellQuoted) ?? "$agent")
            if [ -n "$program" ] && text=$(\(command) </dev/null 2>/dev/null); then
            say elevation \(index) 0
            \(statuses(index, "text"))
            else \(failed); fi
            """
    }

    /// Reads the answer.
    ///
    /// - Throws: ``PreflightError/noAnswer(_:)`` where the shell did not get to the end
    func parse(_ text: String) throws(PreflightError) -> NodeFacts {
        var facts = NodeFacts(system: "", agents: [], elevations: [:])
        var statuses: [Int: [ProfileStatus]] = [:]
        var isWhole = false
        for line in text.split(separator: "\n") where line.hasPrefix(marker + " ") {
            let words = line.dropFirst(marker.count + 1).split(separator: " ").map(String.init)
            switch (words.first, words.dropFirst().first) {
            case ("system", let kernel?): facts.system = systemName(words.last ?? "", kernel)
            case ("daemon", let path?): facts.nixDaemon = path
            case ("socket", _?): facts.nixSocket = words.dropFirst().joined(separator: " ")
            case ("store", let path?): facts.nixStore = path
            case ("agent", let path?): facts.agents.insert(path)
            case ("elevation", let index?):
                guard let index = Int(index), groups.indices.contains(index), !groups[index].elevation.isEmpty,
                    words.count > 2, let status = Int(words[2])
                else { continue }
                let text = words.dropFirst(3).joined(separator: " ")
                facts.note(.init(status: status, text: text), of: groups[index].elevation)
            case ("nobody", let index?):
                guard let index = Int(index), groups.indices.contains(index) else { continue }
                facts.missingUsers.formUnion(groups[index].elevation.suffix(1))
            case ("status", let number?):
                guard let index = Int(number) else { continue }
                let json = line.dropFirst(marker.count + " status ".count + number.count + 1)
                // A line that cannot be read leaves too few for the profiles.
                let status = try? JSONLine.decode(ProfileStatus.self, from: json)
                statuses[index, default: []] += status.map { [$0] } ?? []
            case ("trust", let key?): facts.trust.read(key, words.dropFirst(2).map(\.self))
            case ("installed", let index?):
                guard let index = Int(index), installed.indices.contains(index) else { continue }
                facts.installed[installed[index]] = words.dropFirst(2).joined(separator: " ")
            case ("end", _): isWhole = true
            default: continue
            }
        }
        guard isWhole else { throw .noAnswer(trimmed(text)) }
        for (index, group) in groups.enumerated() where statuses[index]?.count == group.profiles.count {
            facts.statuses[index] = statuses[index]
        }
        return facts
    }

    private func systemName(_ machine: String, _ kernel: String) -> String {
        let names = ["arm64": "aarch64", "amd64": "x86_64", "i386": "i686"]
        return "\(names[machine] ?? machine)-\(kernel.lowercased())"
    }
}

/// What makes a deploy impossible before anything is sent.
enum PreflightError: Error, Sendable, Equatable {
    /// The login shell did not run the question.
    case noAnswer(String)
    /// It let us in, and then a plain command did not end.
    case silent(after: Duration)
    /// Another deploy is at this profile.
    case held(LockHolder)
    case notConnected
    case noNix
    case noAgent(system: String, available: [String])
    /// The node knows no user of this name.
    case noUser(String)
    /// This user cannot become that one.
    case passwordNeeded(elevation: [String])
    /// `interactiveSudo` is on, and there is no terminal.
    case nobodyToAsk(elevation: [String])
    /// With the last line that the program wrote.
    case wrongPassword(elevation: [String], reason: String)
    /// `interactiveSudo` is on, and the program asks only on a terminal of the node.
    case takesNoPassword(elevation: [String])
    /// `agentPath` leads to nothing that runs; `found` is empty then, or another version.
    case installedAgent(path: String, found: String, wanted: String)
    case elevationFailed(elevation: [String], reason: String)
}

extension PreflightError: Explained, CustomStringConvertible {
    var description: String {
        switch self {
        case .noAnswer(let text):
            "the login shell did not answer a plain sh command" + (text.isEmpty ? "" : "; it said: \(text)")
        case .silent(let limit): "it let us in, but the login shell did not run a plain sh command within \(limit)"
        case .held(let holder):
            "it is held since \(Date(timeIntervalSince1970: TimeInterval(holder.since)).formatted(.iso8601)) by "
                + "\(holder.deployer)'s deploy of \(holder.closure); nothing was changed"
        case .notConnected: "there is no connection to the node"
        case .noNix:
            "Nix is not on the node: nix-daemon and nix-store are neither in PATH nor where Nix is installed as a rule"
        case .noAgent(let system, let available):
            "there is no agent for \(system) and no activate-rs in the closure; this installation has agents for: "
                + (available.isEmpty ? "nothing" : available.joined(separator: ", "))
        case .noUser(let name): "there is no user \"\(name)\" on the node"
        case .passwordNeeded(let elevation): "`\(elevation.joined(separator: " "))` needs a password on the node"
        case .nobodyToAsk(let elevation):
            "`\(elevation.joined(separator: " "))` needs a password on the node, and there is no terminal to ask for it on"
        case .wrongPassword(let elevation, let reason):
            "`\(elevation.joined(separator: " "))` did not accept the password"
                + (reason.isEmpty ? "" : ": \(reason)")
        case .takesNoPassword(let elevation):
            "`\(elevation.joined(separator: " "))` needs a password on the node, and takes it only on a terminal there"
        case .installedAgent(let path, let found, let wanted):
            "agentPath \(path) "
                + (found.isEmpty ? "is no agent that runs on the node" : "is \(found), but this deploy needs \(wanted)")
        case .elevationFailed(let elevation, let reason):
            "`\(elevation.joined(separator: " "))` does not work on the node: \(reason)"
        }
    }

    var hint: String? {
        switch self {
        case .notConnected: nil
        case .noAnswer, .silent: "try `ssh` to it by hand: a shell that prints or asks something at login is in the way"
        case .held: "try again once that deploy has ended; `deploy status` tells"
        case .noNix: "install Nix there; nothing was changed"
        case .noUser: "make one there, or change `user`, which says whose profile it is; nothing was changed"
        case .noAgent: "name one with --agent FILE, or wrap the closure with a library that puts activate-rs into it"
        case .takesNoPassword(let elevation): Elevation.rule(elevation)
        case .passwordNeeded(let elevation) where !Elevation.readsPassword(elevation): Elevation.rule(elevation)
        case .installedAgent:
            "install this one there (README, \"Least privilege\"), or leave agentPath out; nothing was changed"
        case .passwordNeeded:
            "set interactiveSudo = true (or --interactive-sudo true) to be asked for it, or allow it without a password "
                + "there; a user who may not use it at all is told the same"
        case .nobodyToAsk: "run deploy on a terminal, or allow it without a password"
        case .wrongPassword: "nothing was changed"
        case .elevationFailed: "check the `user`, `sshUser` and `sudo` settings of the profile; nothing was changed"
        }
    }
}
