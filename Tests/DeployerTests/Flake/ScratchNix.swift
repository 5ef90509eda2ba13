import Foundation
import Shared
import Synchronization
import Testing

@testable import Deployer

/// A folder with a Nix store of its own, which works for any user; removed with the object.
final class ScratchNix: Sendable {
    static let isInstalled = locateProgram("nix", path: currentEnvironment()["PATH"]) != nil

    let folder: String
    let environment: [String: String]

    /// - Parameter features: `experimental-features` of its nix.conf
    init(features: String = "nix-command flakes") throws {
        let url = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
            .appendingPathComponent("deploy-\(UUID().uuidString.prefix(8))")
        folder = url.path
        var environment = currentEnvironment()
        for name in ["NIX_REMOTE", "NIX_PATH", "NIX_USER_CONF_FILES", "LOCAL_KEY"] { environment[name] = nil }
        let places = [
            "NIX_STORE_DIR": "store", "NIX_STATE_DIR": "var", "NIX_LOG_DIR": "log", "NIX_LOCALSTATE_DIR": "local",
            "NIX_CONF_DIR": "conf", "XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config", "HOME": "home",
        ]
        for (name, place) in places {
            environment[name] = "\(folder)/\(place)"
            try FileManager.default.createDirectory(atPath: "\(folder)/\(place)", withIntermediateDirectories: true)
        }
        self.environment = environment
        // Last of all, and no reference escapes: a failure leaves only an empty folder.
        try """
        experimental-features = \(features)
        sandbox = false
        build-users-group =
        substituters =
        flake-registry =
        """.write(toFile: "\(folder)/conf/nix.conf", atomically: true, encoding: .utf8)
    }

    deinit {
        // Harmless where it fails: a temporary folder is left. Store paths are read-only, even to their owner.
        let entries = FileManager.default.enumerator(atPath: folder)
        while let entry = entries?.nextObject() as? String {
            var status = stat()
            let path = "\(folder)/\(entry)"
            if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { chmod(path, 0o700) }
        }
        try? FileManager.default.removeItem(atPath: folder)
    }

    func nix() async throws -> Nix { try await Nix.detect(environment: environment) }

    /// A flake whose outputs are this Nix text, in which `make name script` is a derivation; a `path:` reference.
    func flake(_ outputs: String, named name: String = "flake", inputs: String = "") throws -> String {
        let text = "{ \(inputs) outputs = { self, ... }@inputs: let \(Self.make) in \(outputs); }"
        try write(text, to: "\(name)/flake.nix")
        return "path:\(folder)/\(name)"
    }

    @discardableResult
    func write(_ text: String, to path: String) throws -> String {
        let url = URL(fileURLWithPath: "\(folder)/\(path)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: true, encoding: .utf8)
        return url.path
    }

    /// `make name script` is a derivation that runs a script; `closure name` is one that can be activated.
    static let make = """
        make = name: script: derivation {
          inherit name; system = "\(system)"; builder = "/bin/sh"; PATH = "/bin:/usr/bin"; args = [ "-c" script ];
        };
        closure = name: make name "mkdir $out && echo > $out/deploy-rs-activate && chmod +x $out/deploy-rs-activate";
        """

    static var system: String {
        #if arch(arm64)
            let processor = "aarch64"
        #else
            let processor = "x86_64"
        #endif
        #if os(macOS)
            return "\(processor)-darwin"
        #else
            return "\(processor)-linux"
        #endif
    }
}

/// Lines that a program under test wrote.
final class LineLog: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: String) { lines.withLock { $0.append(line) } }

    var all: [String] { lines.withLock { $0 } }
}
