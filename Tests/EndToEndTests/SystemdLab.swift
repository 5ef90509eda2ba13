import Foundation
import Shared
import Testing

/// Nodes with systemd as their init, of the nodes' root if one is given, else of a Debian tree that is made once per user.
enum SystemdLab {
    /// Why there are none here; nil where there are.
    static let obstacle = Lab.obstacle ?? noControlGroups ?? noRoot
    static let isAvailable = obstacle == nil

    /// Whether these nodes have a program.
    static func has(_ program: String) -> Bool { (try? root.get()).map { Lab.has(program, in: $0) } ?? false }

    private static let root = Result { try findRoot() }

    /// What `lab up` needs for such a node.
    static var options: [String] { get throws { ["--root", try root.get(), "--systemd"] } }

    private static var noControlGroups: String? {
        let mounts = (try? String(contentsOfFile: "/proc/mounts", encoding: .utf8)) ?? ""
        return mounts.contains(" cgroup2 ") ? nil : "no cgroup2 is mounted here, which a node with systemd needs"
    }

    private static var noRoot: String? {
        do {
            _ = try root.get()
            return nil
        } catch {
            return "no Debian tree with systemd: \(error)"
        }
    }

    private struct Failure: Error, CustomStringConvertible { let description: String }

    private static func findRoot() throws -> String {
        guard currentEnvironment()["LAB_NODE_ROOT"] != nil else { return try makeRoot() }
        let systemd = "\(Lab.nodeRoot)/lib/systemd/systemd"
        guard FileManager.default.isExecutableFile(atPath: systemd) else {
            throw Failure(description: "the nodes' root \(Lab.nodeRoot) has none")
        }
        return Lab.nodeRoot
    }

    private static func makeRoot() throws -> String {
        let process = Process()
        let output = Pipe()
        let errors = Pipe()
        process.executableURL = URL(fileURLWithPath: Lab.root + "/lab/lab")
        process.arguments = ["root", "trixie"]
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let reason = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(description: trimmed(reason)) }
        return trimmed(text)
    }

    /// Runs work with a fresh node whose logind kills what a lost session leaves, unless told not to.
    static func withScene(
        killsUserProcesses: Bool = true, options: [String] = [], _ work: (Scene) async throws -> Void
    ) async throws {
        try await Scene.with(try Self.options + options) { scene in
            let setting = "KillUserProcesses=\(killsUserProcesses ? "yes" : "no")"
            try await scene.node.shell(
                """
                mkdir -p /etc/systemd/logind.conf.d
                printf '[Login]\\n\(setting)\\n' >/etc/systemd/logind.conf.d/lab.conf
                systemctl restart systemd-logind
                loginctl show-user --property=KillUserProcesses | grep -q \(setting)
                """)
            try await work(scene)
        }
    }
}

/// The one profile `app` of the user of that name, and what its activation leaves in /tmp.
struct AppProfile: Sendable {
    /// Shell text: a nix-daemon before 2.14 makes the old folder for whoever logs in, and there the profile is then.
    private static let folder =
        "$(d=/nix/var/nix/profiles/per-user/app; [ -e $d/.deploy-swift/app ] || d=/home/app/.local/state/nix/profiles; echo $d)"
    static let link = "\(folder)/app"
    static let journal = "\(folder)/.deploy-swift/app/journal.json"
    /// Stays in the activation, having said so, until ``release``.
    static let hold = "touch /tmp/held; until [ -e /tmp/go ]; do sleep 0.05; done"
    static let isHeld = "[ -e /tmp/held ]"
    static let release = "touch /tmp/go"

    let scene: Scene
    /// Who logs in.
    let sshUser: String

    func write(_ version: String, then: String = "true") throws {
        let activation = "\(Script.mark(version, user: "app"))\ntail -n 1 /proc/self/cgroup\n\(then)"
        let extra = "sshUser = \"\(sshUser)\";"
        try scene.fixture.write(
            [.init(name: "app", user: "app", activation: activation, extra: extra)], version: version)
    }

    func deploy(_ version: String, then: String = "true") async throws -> LocalResult {
        try write(version, then: then)
        return try await scene.lab.deploy([scene.fixture.flake])
    }

    func deployed(_ version: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let result = try await deploy(version)
        try #require(result.exit == .code(0), "\(result.errorText)", sourceLocation: sourceLocation)
    }

    func start(_ version: String, then: String, _ words: [String] = []) throws -> RunningDeploy {
        try write(version, then: then)
        return try scene.lab.start([scene.fixture.flake] + words)
    }

    static func has(_ state: String) -> String { "grep -q '\"state\":\"\(state)\"' \(journal) 2>/dev/null" }

    func state() async throws -> Scene.State {
        Scene.State(
            current: try await scene.node.generation(Self.link),
            generations: try await scene.node.generations(Self.link),
            marks: try await scene.node.marks(of: "app"))
    }
}
