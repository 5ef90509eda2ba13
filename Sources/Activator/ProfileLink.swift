import Glibc
import Shared

/// The symbolic link that is a profile; its generations lie beside it as `<name>-<number>-link`.
struct ProfileLink: Sendable, Equatable {
    /// Absolute, without a slash at the end.
    let path: String
    /// With a slash at the end.
    let folder: String
    let name: String

    init(path: String) throws(AgentError) {
        guard path.hasPrefix("/") else { throw .notAbsolute(what: "the profile path", path) }
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard let name = parts.last, name != ".", name != ".." else { throw .badProfileName(path) }
        self.name = String(name)
        folder = parts.dropLast().reduce("/") { "\($0)\($1)/" }
        self.path = folder + name
    }

    /// Finds the link as deploy-rs does (`get_profile_path` in its src/bin/activate.rs).
    init(_ location: ProfileLocation, environment: [String: String]) throws {
        switch location {
        case .path(let path): try self.init(path: path)
        case .named(let user, let name):
            guard !user.isEmpty, !user.contains("/"), !name.isEmpty else {
                throw AgentError.badProfileName("\(user)/\(name)")
            }
            let folder = try profileFolder(user: user, name: name, environment)
            try self.init(path: "\(folder)/\(name)")
        }
    }

    /// What the link says, unresolved; nil if there is no link.
    func target() throws(AgentError) -> String? {
        if let target = linkTarget(path) { return target }
        let number = errno
        if number == ENOENT || number == ENOTDIR { return nil }
        throw number == EINVAL ? .notALink(path) : .system(SystemError("readlink", path, number: number))
    }

    /// Where the profile is now; nil if there is no link.
    func generation() throws(AgentError) -> Generation? {
        guard let target = try target() else { return nil }
        let absolute = target.hasPrefix("/") ? target : folder + target
        guard let number = number(ofLink: absolute) else { return Generation(number: nil, path: resolved(absolute)) }
        return Generation(number: number, path: linkTarget(absolute) ?? absolute)
    }

    /// The numbered generations that exist, with what they point to.
    func generations() -> [Int: String] {
        var result: [Int: String] = [:]
        for entry in folderEntries(folder) {
            guard let number = number(ofLink: folder + entry) else { continue }
            result[number] = linkTarget(folder + entry)
        }
        return result
    }

    /// The path of a numbered generation's own link.
    func link(ofGeneration number: Int) -> String { "\(path)-\(number)-link" }

    private func number(ofLink link: String) -> Int? {
        guard link.hasPrefix(path + "-"), link.hasSuffix("-link") else { return nil }
        let digits = link.dropFirst(path.count + 1).dropLast("-link".count)
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(digits)
    }
}

private func profileFolder(user: String, name: String, _ environment: [String: String]) throws -> String {
    let profiles = nixStateFolder(environment) + "/profiles"
    if user == "root" { return name == "system" ? profiles : "\(profiles)/per-user/root" }
    let perUser = "\(profiles)/per-user/\(user)"
    let own: String
    do {
        own = try ownProfileFolder(user: user, environment)
    } catch {
        guard access(perUser, F_OK) == 0 else { throw error }
        return perUser
    }
    // An older nix-env makes the per-user folder when it sets a profile elsewhere: the profile stays where it is.
    for folder in [perUser, own] {
        if linkTarget("\(folder)/\(name)") != nil || access("\(folder)/\(StateFolder.container)/\(name)", F_OK) == 0 {
            return folder
        }
    }
    return access(perUser, F_OK) == 0 ? perUser : own
}

/// Where newer versions of Nix keep a user's profiles.
private func ownProfileFolder(user: String, _ environment: [String: String]) throws -> String {
    if let state = environment["XDG_STATE_HOME"], !state.isEmpty { return "\(state)/nix/profiles" }
    guard let home = homeFolder(environment) else { throw AgentError.noHome(user: user) }
    return "\(home)/.local/state/nix/profiles"
}

/// `NIX_STATE_DIR`, or where Nix keeps its state.
func nixStateFolder(_ environment: [String: String]) -> String { environment["NIX_STATE_DIR"] ?? "/nix/var/nix" }

/// `HOME`, else what /etc/passwd says about us; a static program has no `getpwuid`.
func homeFolder(_ environment: [String: String]) -> String? {
    if let home = environment["HOME"], home.hasPrefix("/") { return home }
    guard let text = readTextFile("/etc/passwd") else { return nil }
    return text.split(separator: "\n").lazy.compactMap { Account(line: $0) }.first { $0.user == getuid() }?.home
}
