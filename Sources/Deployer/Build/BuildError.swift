/// What can go wrong between a plan and its closures in the local store.
enum BuildError: Explained, Equatable {
    case checksFailed(Source, NixFailure)
    /// These profiles (`web1.system`) needed what could not be built.
    case buildFailed([String], NixFailure)
    /// The node's own `nix-store` could not build these; with its last lines.
    case failedThere([String], RemoteExit, [String])
    /// These plain store paths are not there, and no substituter has them.
    case notRealised([String], NixFailure)
    /// Nix was content, and yet there is no such path.
    case missing(String, path: String)
    case notActivatable(String, path: String, wrapper: String)
    case badLinkName(String)
    case linkFailed(String, NixFailure)
    case signingFailed(key: String, NixFailure)
    /// The machine that builds has no nix-daemon.
    case noSigningThere(String)

    var description: String {
        switch self {
        case .checksFailed(let source, let failure): "the checks of \(source) failed: \(failure)"
        case .buildFailed(let labels, let failure):
            "\(labels.joined(separator: ", ")) could not be built: \(failure)"
        case .failedThere(let labels, let exit, let lines):
            (["\(labels.joined(separator: ", ")) could not be built: nix-store on the node ended with \(exit)"]
                + withoutErrorPrefix(lines)).joined(separator: "\n")
        case .notRealised(let labels, let failure):
            "\(labels.joined(separator: ", ")): the store path could not be fetched: \(failure)"
        case .missing(let label, let path): "\(label): \(path) does not exist after the build"
        case .notActivatable(let label, let path, _): "\(label): \(path) has no executable deploy-rs-activate"
        case .badLinkName(let label): "\(label): no link can have this name in the folder of --keep-result"
        case .linkFailed(let label, let failure): "\(label): the link of --keep-result could not be made: \(failure)"
        case .signingFailed(let key, let failure): "signing with LOCAL_KEY=\(key) failed: \(failure)"
        case .noSigningThere(let host): "LOCAL_KEY cannot sign on \(host): there is no nix-daemon, which does that"
        }
    }

    var hint: String? {
        switch self {
        case .checksFailed: "--skip-checks deploys without them"
        case .notActivatable(_, _, let wrapper):
            "did you forget to wrap the profile's path with deploy-rs's lib.<system>.activate.\(wrapper)?"
        case .noSigningThere:
            "install nix-daemon there, build elsewhere (buildOn), or have the node trust its SSH user (trusted-users)"
        case .missing: "content-addressed derivations are not supported"
        case .buildFailed, .failedThere, .notRealised, .badLinkName, .linkFailed, .signingFailed: nil
        }
    }
}
