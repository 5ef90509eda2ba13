import Foundation
import Shared
import Synchronization
import Testing

@testable import Activator

/// The parent of every suite that starts the built agent on real Nix, in a store of its own: no root, no /nix.
@Suite(.serialized, .enabled(if: ScratchNode.hasNix, "needs nix-env in PATH"), .timeLimit(.minutes(10)))
struct AgentTests {}

/// A "node": a scratch folder with a Nix store, profiles, and what the tests' activations write.
final class ScratchNode: Sendable {
    static let hasNix = locateProgram("nix-env", path: currentEnvironment()["PATH"]) != nil

    let path: String
    let environment: [String: String]

    init() throws {
        path = resolved(NSTemporaryDirectory()) + "/agent-\(UUID().uuidString.prefix(8))"
        for folder in ["store", "state/profiles", "log", "conf", "src", "home", "tmp"] {
            try FileManager.default.createDirectory(atPath: "\(path)/\(folder)", withIntermediateDirectories: true)
        }
        var environment = currentEnvironment().filter { !$0.key.hasPrefix("NIX_") && !$0.key.hasPrefix("XDG_") }
        environment["NIX_STORE_DIR"] = "\(path)/store"
        environment["NIX_STATE_DIR"] = "\(path)/state"
        environment["NIX_LOCALSTATE_DIR"] = "\(path)/state"
        environment["NIX_LOG_DIR"] = "\(path)/log"
        environment["NIX_CONF_DIR"] = "\(path)/conf"
        environment["HOME"] = "\(path)/home"
        self.environment = environment
    }

    deinit {
        // Store paths are read-only; a folder that stays behind in the temporary folder harms nobody.
        _ = Process.runQuietly("chmod", ["-R", "u+w", path])
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The profile that the tests deploy to, and its link.
    var location: ProfileLocation { .named(user: "root", name: "system") }
    var link: String { "\(path)/state/profiles/system" }
    var state: String { "\(path)/state/profiles/.deploy-swift/system" }
    /// Where scripts write what they saw.
    var trace: String { "\(path)/trace" }

    /// Adds a closure to the store whose script is this; other files as given, runnable.
    func closure(_ name: String, _ script: String?, files: [String: String] = [:]) async throws -> String {
        let source = "\(path)/src/\(name)"
        var files = files
        if let script { files["deploy-rs-activate"] = script }
        for (file, text) in files {
            let target = "\(source)/\(file)"
            let folder = String(target[..<(target.lastIndex(of: "/") ?? target.endIndex)])
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try "#!/bin/sh\n\(text)\n".write(toFile: target, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: target)
        }
        try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
        return trimmed(try await nix(["nix-store", "--add", source]).text)
    }

    /// One whose script notes the name in the trace, then does more.
    func tracing(_ name: String, _ more: String = "") async throws -> String {
        try await closure(name, "echo \(name) boot=$BOOT >> \(trace)\n\(more)")
    }

    @discardableResult
    func nix(_ words: [String]) async throws -> LocalResult {
        let result = try await LocalCommand(words, environment: environment).run()
        try #require(result.exit == .code(0), "\(words): \(result.errorText)")
        return result
    }

    /// Makes generations 1, 2, … of these closures, as someone else would.
    func generations(_ closures: [String]) async throws {
        for closure in closures { try await nix(["nix-env", "-p", link, "--set", closure]) }
    }

    func request(_ closure: String, confirmTimeout: Int = 60, nonce: String? = ScratchNode.nonce()) -> ActivateRequest {
        var request = ActivateRequest(
            closure: closure, profile: location, tempPath: "/tmp", confirmTimeout: confirmTimeout)
        request.magicRollback = true
        request.autoRollback = true
        request.session = nonce.map { .init(nonce: $0, activationTimeout: nil, deployer: "alice@laptop") }
        return request
    }

    static func nonce() -> String {
        UUID().uuidString.filter(\.isHexDigit).lowercased()
    }

    func command(_ command: AgentCommand) -> LocalCommand {
        LocalCommand([ScratchNode.agent] + command.words(), environment: environment)
    }

    /// Starts the agent and reads its events as they come.
    func start(_ command: AgentCommand) throws -> RunningAgent { try RunningAgent(self.command(command)) }

    func run(_ command: AgentCommand) async throws -> RunningAgent.End { try await start(command).end() }

    func activate(_ request: ActivateRequest) async throws -> RunningAgent.End { try await run(.activate(request)) }

    func confirm(_ request: ActivateRequest) async throws -> RunningAgent.End {
        try await run(.confirm(ConfirmRequest(profile: request.profile, nonce: request.session?.nonce ?? "")))
    }

    /// Activates and confirms.
    @discardableResult
    func deploy(_ closure: String) async throws -> ActivateRequest {
        let request = request(closure)
        let agent = try start(.activate(request))
        _ = try await agent.awaiting()
        #expect(try await confirm(request).verdict?.verdict == .committed)
        #expect(try await agent.end().exit == .code(0))
        return request
    }

    func status() async throws -> ProfileStatus {
        let result = try await command(.status([location])).run()
        return try JSONLine.decode(ProfileStatus.self, from: trimmed(result.text))
    }

    /// The number that the link is on; nil without a link.
    var generation: Int? { (try? ProfileLink(path: link).generation())?.number }
    var numbers: [Int] { ((try? ProfileLink(path: link).generations()) ?? [:]).keys.sorted() }
    var traced: [String] { (readTextFile(trace) ?? "").split(separator: "\n").map(String.init) }

    func journal() throws -> Record? {
        guard let folder = try StateFolder.find(beside: ProfileLink(path: link)) else { return nil }
        return try Journal(folder: folder).read()
    }

    /// The process of the guardian that works on the profile, as its journal says.
    func guardian() throws -> Int32 {
        let record = try journal()
        return try #require(record?.guardian).id
    }

    /// The process that would replace it.
    func watcher() throws -> Int32 {
        let parent = parent(of: try guardian())
        return try #require(parent)
    }

    /// Kills an agent, so that no one notices, then its guardian and whoever watches over that.
    func killAll(_ agent: RunningAgent, guardian: Int32? = nil) async throws {
        let id = try guardian ?? self.guardian()
        agent.process.signal(SIGKILL)
        _ = await agent.process.exit()
        let watcher = parent(of: id)
        kill(try #require(watcher), SIGKILL)
        kill(id, SIGKILL)
        let folder = try #require(try StateFolder.find(beside: ProfileLink(path: link)))
        try FileLock.waitUntilFree(ProfileLock.livenessName, in: folder)
    }

    /// The built agent: beside the test bundle, where the same build puts both.
    static let agent: String = {
        if let path = currentEnvironment()["ACTIVATE"] { return path }
        let folders = [linkTarget("/proc/self/exe"), CommandLine.arguments.first].compactMap { $0 }
            .map { URL(fileURLWithPath: $0).deletingLastPathComponent().path }
        return folders.map { "\($0)/activate" }.first { isRunnable($0) } ?? "/nonexistent/activate"
    }()
}

/// The process that has started this one, or taken it over; nil if it is gone.
func parent(of id: Int32) -> Int32? {
    guard let text = readTextFile("/proc/\(id)/stat"), let end = text.lastIndex(of: ")") else { return nil }
    return text[text.index(after: end)...].split(separator: " ").dropFirst().first.flatMap { Int32($0) }
}

extension Process {
    /// Waits for it; what it says is of no interest.
    static func runQuietly(_ program: String, _ arguments: [String]) -> Int32? {
        guard let path = locateProgram(program, path: currentEnvironment()["PATH"]) else { return nil }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardError = nil
        try? process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }
}
