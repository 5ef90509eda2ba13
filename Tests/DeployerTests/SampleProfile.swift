import Shared

@testable import Deployer

extension PlannedProfile {
    /// `web1.system`, root's, by `admin` through sudo, with every default.
    static let rootSystem = PlannedProfile(
        node: NodeName("web1"), name: ProfileName("system"), path: "/nix/store/abc-new", derivations: [],
        destination: Destination(host: "web1", user: "admin", options: []), user: "root",
        location: .named(user: "root", name: "system"), elevation: ["sudo", "-u", "root"], interactiveSudo: false,
        fastConnection: false, autoRollback: true, magicRollback: true, remoteBuild: false, tempPath: nil,
        confirmTimeout: 30, activationTimeout: nil)
}
