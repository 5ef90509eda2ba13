import Shared

@testable import Deployer

/// A profile on a node that is a table, and what its deploy needs.
struct ActivationScene: Sendable {
    static let profile = PlannedProfile(
        node: NodeName("web1"), name: ProfileName("system"), path: "/nix/store/new", derivations: [],
        destination: Destination(host: "web1", user: "admin", options: []), user: "root",
        location: .named(user: "root", name: "system"), elevation: ["sudo", "-u", "root"], interactiveSudo: false,
        fastConnection: false, autoRollback: true, magicRollback: true, remoteBuild: false, tempPath: nil,
        confirmTimeout: 30, activationTimeout: nil)
    static let new = Generation(number: 2, path: "/nix/store/new")
    static let old = Generation(number: 1, path: "/nix/store/old")
    static let nonce = "00ff"

    let node: FakeNode
    var profile: PlannedProfile { Self.profile }
    var connector: FakeConnector { FakeConnector(node: node) }
    let console: Console
    let mode = ActivationMode(deployer: "alice@laptop")

    init(_ node: FakeNode) throws {
        self.node = node
        console = try Console(showsDebug: false, usesColor: false, logDirectory: nil)
    }

    var connection: ReadyConnection {
        ReadyConnection(
            destination: profile.destination,
            login: NodeLogin(FakeRemote(node: node), to: profile.destination, connector: connector),
            store: .sample, agent: "/nix/store/agent",
            elevations: [profile.elevation: .words(profile.elevation)])
    }
}

extension NodeStore {
    static let sample = NodeStore(daemon: "/usr/bin/nix-daemon", store: "/usr/bin/nix-store")
}
