import Foundation
import Shared
import Testing

/// This machine through an sshd of its own on 127.0.0.1, as the current user, with a Nix store in the lab's folder.
struct Loopback: Sendable {
    let lab: Lab
    let fixture: Fixture

    /// What is missing; nil if it can be had. Needs neither root nor namespaces.
    static let obstacle: String? = {
        guard Lab.prefix != nil else { return "DEPLOY_PREFIX names no installation: `make test` does" }
        guard Lab.nodeRoot == "/", Lab.deployerRoot == "/" else { return "it has this machine's own root only" }
        let path = (currentEnvironment()["PATH"] ?? "") + ":/usr/sbin:/sbin"
        let missing = ["sshd", "ssh", "nix", "perl", "flock"].filter { locateProgram($0, path: path) == nil }
        return missing.isEmpty ? nil : "missing: \(missing.joined(separator: ", "))"
    }()

    static func with(_ work: (Loopback) async throws -> Void) async throws {
        try await Lab.with { lab in
            try await lab.tool("loopback-up")
            try await work(Loopback(lab: lab, fixture: try Fixture(in: lab)))
        }
    }

    /// The versions activated so far, oldest first.
    var versions: [Substring] {
        get throws { try marks().compactMap(\.first) }
    }

    /// What each activation has told: its version, user and profile.
    private func marks() throws -> [[Substring]] {
        let text = try String(contentsOfFile: "\(lab.folder)/marks", encoding: .utf8)
        return text.split(separator: "\n").map { $0.split(separator: " ") }
    }

    /// Deploys a version of the one profile `app`, whose activation leaves a mark, then runs these words of the lab's.
    func deploy(_ version: String, then: String = "true", _ words: [String] = []) async throws -> LocalResult {
        let activation = """
            echo "\(version) $(id -un) $PROFILE" >>\(lab.folder)/marks
            export LAB_DIR=\(lab.folder); lab=\(Lab.root)/lab/lab
            \(then)
            """
        try fixture.write(
            deploy: """
                {
                  sshOpts = [ "-F" \(nixString("\(lab.folder)/loopback/ssh_config")) ];
                  nodes.here = {
                    hostname = "local"; sshUser = \(nixString(user));
                    profiles.app.path = activate.custom (base "app-\(version)") \(nixString(activation));
                  };
                }
                """)
        let deploy = ["\(Lab.prefix ?? "")/bin/deploy", "--skip-checks", fixture.flake] + words
        let command = lab.command([Lab.root + "/lab/lab", "loopback-run", "--"] + deploy)
        return try await command.run(timeLimit: .seconds(120))
    }

    private var user: String { NSUserName() }

    /// The store path that the profile leads to.
    ///
    /// Which link it is depends on the version of Nix, but it is one of this lab and of the current user.
    func profile() throws -> String {
        let mark = try #require(try marks().last)
        try #require(mark.count == 3 && mark[1] == user && mark[2].hasPrefix(lab.folder), "\(mark)")
        return URL(fileURLWithPath: String(mark[2])).resolvingSymlinksInPath().lastPathComponent
    }

    /// Logs in anew, with nothing but ssh.
    func answers() async throws -> Bool {
        let words = ["ssh", "-F", "\(lab.folder)/loopback/ssh_config", "-o", "BatchMode=yes", "local", "true"]
        return try await LocalCommand(words).run(timeLimit: .seconds(120)).exit.isSuccess
    }
}
