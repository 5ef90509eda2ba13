/// Where a `deploy` attribute is read from.
enum Source: Sendable, Hashable, CustomStringConvertible {
    /// A flake reference as the user wrote it.
    case flake(String)
    /// Absolute path of a Nix file, or of a folder with `default.nix`.
    case file(String)

    var description: String {
        switch self {
        case .flake(let reference): reference
        case .file(let path): path
        }
    }
}
