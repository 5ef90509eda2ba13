import Shared
import Synchronization

/// How the Nix here can speak with a node's store; all of them over the session that is open already.
enum StoreWay: String, Sendable, CaseIterable {
    /// As with a daemon of this machine: behind a local socket is that of the daemon which runs on the node.
    case socket = "the daemon's socket"
    /// In the same way, with a daemon started for this, which owes root no trust.
    case daemon = "nix-daemon --stdio"
    /// With the same program of the node, and what Nix does otherwise where it knows that a store is remote.
    case sshNG = "ssh-ng://"
    /// With `nix-store --serve`, which every Nix has, with and without a daemon.
    case ssh = "ssh://"
}

/// What answers on a node's side.
enum StoreServer: Sendable {
    /// Path of a Unix socket.
    case socket(String)
    /// The words of a command.
    case command([String])
}

/// What serves the store of a node, and which ways have turned out not to lead there.
final class NodeStore: Sendable {
    /// Where a daemon listens as a rule; it is reached before the node has said where its own does.
    static let standardSocket = "/nix/var/nix/daemon-socket/socket"

    /// Path of the running daemon's socket; nil if there is none.
    private let socket: String?
    /// Absolute path of `nix-daemon`; nil if the node has none.
    private let daemon: String?
    /// Absolute path of `nix-store`.
    private let store: String?
    private let failed = Mutex<Set<StoreWay>>([])

    /// - Precondition: one of them is there
    init(socket: String? = nil, daemon: String?, store: String?) {
        // Without the program nobody listens.
        (self.socket, self.daemon, self.store) = (daemon == nil ? nil : socket, daemon, store)
    }

    /// The ways to try, best first: those that have not failed; never none.
    var ways: [StoreWay] {
        let possible = StoreWay.allCases.filter { server($0) != nil }
        let untried = failed.withLock { failed in possible.filter { !failed.contains($0) } }
        return untried.isEmpty ? possible : untried
    }

    /// What serves the store on the node; nil where it has no such thing.
    func server(_ way: StoreWay) -> StoreServer? {
        switch way {
        case .socket: socket.map(StoreServer.socket)
        case .daemon, .sshNG: daemon.map { .command([$0, "--stdio"]) }
        case .ssh: store.map { .command([$0, "--serve", "--write"]) }
        }
    }

    /// The words that build derivations on the node itself.
    func realiseWords(_ derivations: [Derivation]) -> [String] {
        [store ?? "nix-store", "--realise"] + Installables.merged(derivations).map(\.path)
    }

    /// Spares later copies of this run a way that does not work.
    func avoid(_ way: StoreWay) { failed.withLock { _ = $0.insert(way) } }

    /// Its URL as a source, for an `ssh` of Nix's own: from a `unix://` store Nix reads the files themselves, here.
    func sourceURL(_ account: String) -> String {
        if let daemon { return "ssh-ng://\(account)?remote-program=\(daemon)" }
        return "ssh://\(account)" + (store.map { "?remote-program=\($0)" } ?? "")
    }
}

/// A node's store while it is served, for a Nix that is run here.
struct ServedStore: Sendable {
    /// For `nix copy --to` and the like.
    let url: String
    /// What its environment has to have besides.
    fileprivate let variables: [String: String]

    init(_ way: StoreWay, _ socket: StoreSocket, program: String) throws(SystemError) {
        switch way {
        case .socket, .daemon: (url, variables) = (socket.storeURL, [:])
        case .sshNG, .ssh:
            url = way.rawValue + SSHStandIn.host
            variables = try SSHStandIn.variables(socket, program: program)
        }
    }

    /// The environment of a Nix that talks to it: without the local settings, which it would send to a node's daemon.
    func environment(_ environment: [String: String]) -> [String: String] {
        var environment = environment
        environment["NIX_CONF_DIR"] = "/var/empty/nix-conf"
        environment["NIX_USER_CONF_FILES"] = ""
        environment["NIX_CONFIG"] = "build-users-group ="
        let path = environment["PATH"]
        environment.merge(variables) { $1 }
        if let folder = variables["PATH"], let path { environment["PATH"] = "\(folder):\(path)" }
        return environment
    }
}
