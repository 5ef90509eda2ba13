import Foundation
import Shared
import Testing

/// A Nix store of the tests' own, over /nix in a mount namespace, and a tree as `make install` lays it out.
struct NixLibraryStore: Sendable {
    /// Scratch folder: `nix/`, `conf/`, `ssh/`, `home/`, `tree/` (with an agent), `bare/` (without), and whatever tests put there.
    let folder: String

    /// Why there can be none here; nil if there can.
    static let obstacle: String? = {
        if getuid() != 0 { return "a private /nix needs root" }
        if locateProgram("nix", path: currentEnvironment()["PATH"]) == nil { return "there is no nix" }
        // Never waited for in vain: a small local program.
        let probe = Process()
        probe.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        probe.arguments = ["unshare", "--mount", "true"]
        do { try probe.run() } catch { return "unshare cannot be run: \(error)" }
        probe.waitUntilExit()
        return probe.terminationStatus == 0 ? nil : "mount namespaces are not to be had"
    }()

    /// One store for all tests of this process; removed when it ends.
    static let shared = Result { try NixLibraryStore() }

    static let repository = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardized.path

    private init() throws {
        let manager = FileManager.default
        folder = NSTemporaryDirectory() + "deploy-swift-nix-\(getpid())"
        atexit { removeStore() }
        for name in ["nix", "conf", "ssh", "home", "tree/agents/x86_64-linux/bin", "tree/bin", "bare"] {
            try manager.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        try manager.createDirectory(atPath: "/nix", withIntermediateDirectories: true)
        for tree in ["tree", "bare"] {
            for name in ["flake.nix", "interface.json", "lib"] {
                try manager.copyItem(atPath: "\(Self.repository)/\(name)", toPath: "\(folder)/\(tree)/\(name)")
            }
        }
        try manager.copyItem(atPath: Self.agent, toPath: "\(folder)/tree/agents/x86_64-linux/bin/activate")
        try write("tree/bin/deploy", "#!/bin/sh\necho the deploy of this test\n")
        try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(folder)/tree/bin/deploy")
        try write("conf/nix.conf", Self.settings)
    }

    private static let settings = """
        sandbox = false
        build-users-group =
        experimental-features = nix-command flakes
        substituters =
        flake-registry =
        warn-dirty = false

        """

    /// The installed agent where there is one (`make test`), else the one built beside these tests.
    private static var agent: String {
        if let prefix = currentEnvironment()["DEPLOY_PREFIX"] {
            return "\(prefix)/libexec/deploy-swift/x86_64-linux/activate"
        }
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return tests.deletingLastPathComponent().appendingPathComponent("activate").path
    }

    func write(_ name: String, _ text: String) throws {
        let file = URL(fileURLWithPath: "\(folder)/\(name)")
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    /// Runs a program that sees the private store, in the scratch folder.
    func run(_ words: [String], environment: [String: String] = [:]) async throws -> LocalResult {
        let side = ["unshare", "--mount", "\(Self.repository)/lab/lib/deployer-side", folder, Lab.deployerRoot]
        var command = LocalCommand(side + ["env", "-C", folder] + words)
        command.environment = [
            "PATH": currentEnvironment()["PATH"] ?? "/usr/bin:/bin", "HOME": "\(folder)/home", "LAB_DIR": folder,
        ].merging(environment) { $1 }
        return try await command.run()
    }

    /// What a program that must succeed wrote.
    func output(_ words: [String]) async throws -> String {
        let result = try await run(words)
        try #require(result.exit.isSuccess, "\(words): \(result.errorText)")
        return trimmed(result.text)
    }
}

/// A plain function: `atexit` takes no closure that holds anything.
private func removeStore() {
    guard case .success(let store) = NixLibraryStore.shared else { return }
    // Left-overs in the temporary folder harm nobody.
    try? FileManager.default.removeItem(atPath: store.folder)
}
