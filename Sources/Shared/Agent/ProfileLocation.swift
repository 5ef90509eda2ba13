/// Which profile an agent works on, as deploy-rs names it.
public enum ProfileLocation: Sendable, Hashable, Codable {
    /// The absolute path of the profile's link.
    case path(String)
    /// A user's profile by its name; the node knows the folder.
    case named(user: String, name: String)

    /// The agent's options for it.
    public var words: [String] {
        switch self {
        case .path(let path): ["--profile-path", path]
        case .named(let user, let name): ["--profile-user", user, "--profile-name", name]
        }
    }
}
