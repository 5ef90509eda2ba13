import Foundation
import Shared
import Testing

/// The tests' own lab: throwaway nodes on this machine, and a deployer's side with its own store and SSH settings.
struct Lab: Sendable {
    /// The installation under test; nil outside `make test`.
    static let prefix = currentEnvironment()["DEPLOY_PREFIX"]
    /// Why the suites cannot run here; nil where they can.
    static let obstacle: String? = findObstacle()
    static let isAvailable = obstacle == nil
    /// The root that nodes are made of, and the deployer's: those that the environment names, else this machine's own.
    static let nodeRoot = root(of: "LAB_NODE_ROOT")
    static let deployerRoot = root(of: "LAB_DEPLOYER_ROOT")

    let folder: String

    private static let program = root + "/lab/lab"
    /// The project's top folder.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    private static func root(of name: String) -> String {
        URL(fileURLWithPath: currentEnvironment()[name] ?? "/").resolvingSymlinksInPath().path
    }

    /// Whether a root has a program.
    static func has(_ name: String, in root: String) -> Bool {
        locateProgram(name, path: ["bin", "sbin"].map { "\(root)/usr/\($0)" }.joined(separator: ":")) != nil
    }

    /// Runs work with a lab that is taken down afterwards, whatever happens.
    static func with(_ work: (Lab) async throws -> Void) async throws {
        let lab = Lab(folder: FileManager.default.temporaryDirectory.path + "/ds-lab-\(try Nonce.random().prefix(8))")
        do {
            try await work(lab)
        } catch {
            try await lab.remove()
            throw error
        }
        try await lab.remove()
    }

    /// Runs work with a lab of one fresh node.
    static func withNode(
        _ name: String = "web1", options: [String] = [], _ work: (Lab, Node) async throws -> Void
    ) async throws {
        try await with { lab in
            try await lab.tool(["up", name] + options)
            try await work(lab, Node(lab: lab, name: name))
        }
    }

    /// Ends the nodes and removes everything, also what tests have put into the lab's folder.
    private func remove() async throws {
        try await tool("down")
        guard FileManager.default.fileExists(atPath: folder) else { return }
        try FileManager.default.removeItem(atPath: folder)
    }

    /// Runs a subcommand of the lab that has to succeed.
    @discardableResult
    func tool(_ words: String...) async throws -> LocalResult { try await tool(words) }

    @discardableResult
    func tool(_ words: [String]) async throws -> LocalResult {
        let result = try await command([Lab.program] + words).run(timeLimit: .seconds(300))
        try #require(result.exit.isSuccess, "lab \(words.joined(separator: " ")): \(result.errorText)")
        return result
    }

    /// Runs a program on the deployer's side, whatever its exit status.
    func run(
        _ words: [String], input: String = "", environment: [String: String] = [:], timeLimit: Duration = .seconds(300)
    ) async throws -> LocalResult {
        var command = command([Lab.program, "run", "--"] + words)
        command.environment.merge(environment) { $1 }
        command.input = .bytes(Array(input.utf8))
        return try await command.run(timeLimit: timeLimit)
    }

    /// A program on the deployer's side that is not waited for.
    func command(_ words: [String]) -> LocalCommand {
        var command = LocalCommand(words)
        command.environment["LAB_DIR"] = folder
        return command
    }

    /// The words that run `deploy` from the installation under test on the deployer's side.
    func deployWords(_ words: [String]) -> [String] {
        [Lab.program, "run", "--", "\(Lab.prefix ?? "")/bin/deploy"] + words
    }

    /// The words with compression off unless they settle it: nodes share this machine's processors, and where those are
    /// busy that may look like a slow link, which costs a further login.
    static func withoutGuesses(_ words: [String]) -> [String] {
        words.contains("--compress") || words.first == "status" ? words : ["--compress", "off"] + words
    }

    /// Runs `deploy` on the deployer's side, checks skipped.
    func deploy(
        _ words: [String], input: String = "", environment: [String: String] = [:], timeLimit: Duration = .seconds(300)
    ) async throws -> LocalResult {
        try await run(
            ["\(Lab.prefix ?? "")/bin/deploy", "--skip-checks"] + Lab.withoutGuesses(words), input: input,
            environment: environment, timeLimit: timeLimit)
    }

    private static func findObstacle() -> String? {
        guard prefix != nil else { return "DEPLOY_PREFIX names no installation: `make test` does" }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["mode"]
        process.standardOutput = output
        do {
            try process.run()
        } catch {
            return "\(program) cannot be run: \(error)"
        }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return trimmed(text) == "namespaces" ? nil : "this machine has no namespaces for a lab: `lab mode` says why"
    }
}

/// One node of a lab.
struct Node: Sendable {
    let lab: Lab
    let name: String

    /// Runs a shell text on the node as a user, past the network; its output, trimmed.
    @discardableResult
    func shell(_ text: String, as user: String = "root") async throws -> String {
        let result = try await lab.command(
            [Lab.root + "/lab/lab", "exec", name, "--user", user, "sh", "-c", text]
        ).run(timeLimit: .seconds(300))
        try #require(result.exit.isSuccess, "on \(name): \(text): \(result.errorText)")
        return trimmed(result.text)
    }

    /// The store path that a profile's link leads to; empty if there is none.
    func profile(_ link: String = "/nix/var/nix/profiles/system") async throws -> String {
        try await shell("readlink -f \(link) || true")
    }

    /// The numbers of a profile's generations.
    func generations(_ link: String = "/nix/var/nix/profiles/system") async throws -> [Int] {
        try await shell("ls -d \(link)-*-link 2>/dev/null | sed 's/.*-\\([0-9]*\\)-link/\\1/' | sort -n")
            .split(separator: "\n").compactMap { Int($0) }
    }

    /// Where a profile of `app` lies.
    static func appProfile(_ name: String) -> String { "/home/app/.local/state/nix/profiles/\(name)" }
}
