import Shared

/// What a node says about itself before anything is sent to it.
struct NodeFacts: Sendable, Equatable {
    /// In Nix's words, such as `x86_64-linux`.
    var system: String
    /// Absolute path of `nix-daemon`; nil if there is none in any known folder.
    var nixDaemon: String?
    /// Store paths of agents that are there.
    var agents: Set<String>
    /// How each elevation that was asked for went without a password.
    var elevations: [[String]: ElevationTest]
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
}

/// The one plain shell command that asks for them; nothing of ours needs to be on the node yet.
struct NodeFactsQuery: Sendable {
    /// Agents to look for, store paths.
    var agents: [String]
    var elevations: [[String]]
    /// In front of every line of the answer, so that a login banner cannot be mistaken for one.
    var marker: String
    /// Agents installed on the node, to be asked for their version; absolute paths.
    var installed: [String] = []
    /// What is run behind an elevation to try it, where that is not `true`.
    var probes: [[String]: [String]] = [:]

    func probe(_ prefix: [String]) -> [String] { probes[prefix] ?? ["true"] }

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
            #"say system "$(uname -m)" "$(uname -s)""#,
            "PATH=\"$PATH:\(NodeFactsQuery.nixFolders.joined(separator: ":"))\"",
            #"say daemon "$(command -v nix-daemon)""#,
        ]
        lines += NixTrust.questions
        lines += agents.map { "[ -x \(shellQuoted($0))/bin/activate ] && say agent \(shellQuoted($0))" }
        for (index, path) in installed.enumerated() {
            lines.append("say installed \(index) \"$(\(shellQuoted(path)) --version 2>/dev/null)\"")
        }
        for (index, prefix) in elevations.enumerated() {
            let words = Elevation.wrapped(Elevation.withoutAsking(prefix), probe(prefix))
            lines.append("text=$(\(shellQuoted(words)) </dev/null 2>&1 >/dev/null); say elevation \(index) $? $text")
        }
        return (lines + ["say end"]).joined(separator: "\n")
    }

    /// Reads the answer.
    ///
    /// - Throws: ``PreflightError/noAnswer(_:)`` where the shell did not get to the end
    func parse(_ text: String) throws(PreflightError) -> NodeFacts {
        var facts = NodeFacts(system: "", nixDaemon: nil, agents: [], elevations: [:])
        var isWhole = false
        for line in text.split(separator: "\n") where line.hasPrefix(marker + " ") {
            let words = line.dropFirst(marker.count + 1).split(separator: " ").map(String.init)
            switch (words.first, words.dropFirst().first) {
            case ("system", let machine?): facts.system = systemName(machine, words.last ?? "")
            case ("daemon", let path?): facts.nixDaemon = path
            case ("agent", let path?): facts.agents.insert(path)
            case ("elevation", let index?):
                guard let index = Int(index), elevations.indices.contains(index), words.count > 2,
                    let status = Int(words[2])
                else { continue }
                let text = words.dropFirst(3).joined(separator: " ")
                facts.elevations[elevations[index]] = .init(status: status, text: text)
            case ("trust", let key?): facts.trust.read(key, words.dropFirst(2).map(\.self))
            case ("installed", let index?):
                guard let index = Int(index), installed.indices.contains(index) else { continue }
                facts.installed[installed[index]] = words.dropFirst(2).joined(separator: " ")
            case ("end", _): isWhole = true
            default: continue
            }
        }
        guard isWhole else { throw .noAnswer(trimmed(text)) }
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
    case notConnected
    case noNix
    case noAgent(system: String, available: [String])
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
        case .notConnected: "there is no connection to the node"
        case .noNix: "nix-daemon is not on the node: neither in PATH nor in any folder where Nix is installed"
        case .noAgent(let system, let available):
            "there is no agent for \(system) and no activate-rs in the closure; this installation has agents for: "
                + (available.isEmpty ? "nothing" : available.joined(separator: ", "))
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
        case .noNix: "install Nix there; nothing was changed"
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
