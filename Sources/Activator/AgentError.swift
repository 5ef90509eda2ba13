import Shared

/// Why the agent could not do what it was asked; the sentence is for the person who is called at night.
enum AgentError: Error, Equatable, CustomStringConvertible {
    case noHome(user: String)
    case badProfileName(String)
    case notALink(String)
    case notAbsolute(what: String, String)
    case noSuchClosure(String)
    case notActivatable(closure: String)
    case systemElsewhere(closure: String, link: String)
    case foreignFolder(String, reason: String)
    case toolMissing(String)
    case toolFailed(String, Exit, text: String)
    case system(SystemError)
    case unreadableJournal(String, reason: String)
    case deadLock(SystemError)
    case linkMoved(link: String, expected: String, found: String)
    case staleCanary(String, reason: String)
    case noGeneration(link: String)
    case notBack(expected: String, found: String)
    case refused
    case guardianNotStarted([String])
    case unfinished(lastWords: String)

    var description: String {
        switch self {
        case .noHome(let user):
            "the home folder of \(user) is not known (HOME is not set, /etc/passwd does not say): set HOME, or give "
                + "the profile by --profile-path"
        case .badProfileName(let name): "\"\(name)\" cannot be the name of a profile"
        case .notALink(let path): "\(path) is not a symbolic link, so it is no Nix profile: move it away"
        case .notAbsolute(let what, let path): "\(what) \"\(path)\" is not an absolute path"
        case .noSuchClosure(let path): "\(path) is not on this node: it was not copied, or has been collected since"
        case .notActivatable(let closure):
            "\(closure) has no executable deploy-rs-activate: wrap it with lib.<system>.activate"
        case .systemElsewhere(let closure, let link):
            "\(closure) is a plain NixOS system, but the node boots another profile than \(link), so it would not last: "
                + "call the profile \"system\" and let its user be root, or wrap it with lib.<system>.activate.nixos"
        case .foreignFolder(let path, let reason):
            "\(path) cannot be trusted: \(reason); look who made it, then remove it"
        case .toolMissing(let name):
            "\(name) was not found, neither in PATH nor where Nix is usually installed: install Nix, or put it in PATH"
        case .toolFailed(let words, let exit, let text): "\(words): \(exit)\(text.isEmpty ? "" : ": \(text)")"
        case .system(let error): error.description
        case .unreadableJournal(let path, let reason):
            "the record of the last deploy, \(path), cannot be read (\(reason)): compare the profile with what should be "
                + "there, then move that file away"
        case .deadLock(let error):
            "\(error): an earlier nix-env left this lock file behind, and every other would wait for it without end: remove it"
        case .linkMoved(let link, let expected, let found):
            "someone else has moved \(link) meanwhile: expected \(expected), found \(found); it was left alone"
        case .staleCanary(let path, let reason):
            "the canary \(path) of an earlier run cannot be removed (\(reason)): remove it, or use another temp path"
        case .noGeneration(let link): "\(link) has no earlier generation to go back to"
        case .notBack(let expected, let found):
            "the old system was activated again without an error, but \(found) runs, not \(expected)"
        case .guardianNotStarted(let lines):
            "the guardian did not start" + (lines.isEmpty ? "" : ": \(lines.joined(separator: " "))")
        case .unfinished(let lastWords):
            "the guardian and its watcher died before the verdict\(lastWords.isEmpty ? "" : " (\(lastWords))"): whoever comes "
                + "next finishes their work, the next deploy or `activate recover`"
        case .refused: "its deployer had asked for it and given it up before it began"
        }
    }
}

extension Generation {
    /// `generation 4 (/nix/store/…)`.
    var text: String { number.map { "generation \($0) (\(path))" } ?? path }
}

/// The generation in words; "nothing" for none.
func text(_ generation: Generation?) -> String { generation?.text ?? "nothing" }
