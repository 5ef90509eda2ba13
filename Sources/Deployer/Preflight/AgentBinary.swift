import Shared
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The agents that came with this `deploy`, as paths in the local store, by system.
final class AgentBinary: Sendable {
    /// Of the store paths.
    static let name = "deploy-swift-agent"
    /// The value of `--agent` that asks for the closures' own.
    static let closureWord = "closure"

    /// An agent's file and where it lies in the store.
    private struct Item {
        let file: String
        var path: String
        /// Whether the store is known to hold it now.
        var isThere: Bool
    }

    /// By system such as `x86_64-linux`; the empty name stands for every system.
    private let items: Mutex<[String: Item]>
    private let memory: AgentMemory
    private let environment: [String: String]
    private let adding = AsyncLock()

    private init(_ items: [String: Item], _ environment: [String: String]) {
        self.items = Mutex(items)
        self.environment = environment
        memory = AgentMemory(environment: environment)
    }

    /// Agents that the local store is known to hold, by system.
    init(paths: [String: String]) {
        items = Mutex(paths.mapValues { Item(file: "\($0)/bin/activate", path: $0, isThere: true) })
        environment = currentEnvironment()
        memory = AgentMemory(environment: [:])
    }

    /// Finds what there is, with the store paths it has or is now given, content-addressed.
    ///
    /// - Parameters:
    ///   - file: the agent named with `--agent`, for every system; nil for those installed next to `deploy`;
    ///     `closure` for none at all
    ///   - program: absolute path of the running `deploy`
    ///   - environment: says which store it is, and where the user's cache lies
    /// - Throws: ``AgentBinaryError``, ``LocalCommandError``
    static func find(
        file: String?, program: String, environment: [String: String] = currentEnvironment()
    ) async throws -> AgentBinary {
        if file == closureWord { return AgentBinary(paths: [:]) }
        let memory = AgentMemory(environment: environment)
        let files = file.map { ["": $0] } ?? installed(beside: program)
        if let file { try check(file) }
        guard !files.isEmpty else { throw AgentBinaryError.none(beside: program) }
        var items: [String: Item] = [:]
        for (system, file) in files {
            let known = FileIdentity(of: file).flatMap(memory.path)
            let path = if let known { known } else { try await addToStore(file, memory, environment) }
            items[system] = Item(file: file, path: path, isThere: known == nil)
        }
        return AgentBinary(items, environment)
    }

    /// Whether a file can be an agent: a login shell would run any other file as a script, line by line.
    private static func check(_ file: String) throws(AgentBinaryError) {
        guard let head = readFile(file, limit: 4) else { throw .unreadable(file) }
        if !head.starts(with: [0x7f] + Array("ELF".utf8)) { throw .noProgram(file) }
    }

    /// The store paths of all agents.
    var paths: [String] { items.withLock { $0.values.map(\.path).sorted() } }

    /// The systems that there are agents for; the empty name stands for every system.
    var systems: [String] { items.withLock { $0.keys.sorted() } }

    /// The agent's store path for a system, which the local store need not hold; nil where the closures' own has to do.
    func path(for system: String) -> String? { items.withLock { $0[""] ?? $0[system] }?.path }

    /// The agent's store path for a system, with the local store holding it, so that it can be copied; nil where the
    /// closures' own has to do.
    ///
    /// - Throws: ``AgentBinaryError``, ``LocalCommandError``; `CancellationError`
    func pathToCopy(for system: String) async throws -> String? {
        try await adding.withLock {
            guard let item = items.withLock({ $0[""] ?? $0[system] }) else { return nil }
            if item.isThere { return item.path }
            let check = try await LocalCommand(
                ["nix-store", "--check-validity", item.path], environment: environment
            ).run()
            let path = check.exit.isSuccess ? item.path : try await Self.addToStore(item.file, memory, environment)
            items.withLock { items in
                for (name, other) in items where other.file == item.file {
                    items[name]?.path = path
                    items[name]?.isThere = true
                }
            }
            return path
        }
    }

    /// `libexec/deploy-swift/<system>/activate` beside the folder that `deploy` is in.
    static func installed(beside program: String) -> [String: String] {
        let prefix =
            URL(fileURLWithPath: program).resolvingSymlinksInPath().deletingLastPathComponent().path
            + "/../libexec/deploy-swift"
        // No folder means none installed: the caller says so.
        let systems = (try? FileManager.default.contentsOfDirectory(atPath: prefix)) ?? []
        var files: [String: String] = [:]
        for system in systems {
            let file = "\(prefix)/\(system)/activate"
            if FileManager.default.isExecutableFile(atPath: file) { files[system] = file }
        }
        return files
    }

    /// A folder of the same name with the same content gives the same store path on every machine.
    private static func addToStore(
        _ file: String, _ memory: AgentMemory, _ environment: [String: String]
    ) async throws -> String {
        let identity = FileIdentity(of: file)
        let manager = FileManager.default
        let scratch = manager.temporaryDirectory.path + "/deploy-agent-\(try Nonce.random())"
        defer {
            // Left-overs in the temporary folder harm nobody.
            try? manager.removeItem(atPath: scratch)
        }
        let folder = "\(scratch)/\(name)"
        do {
            try manager.createDirectory(
                atPath: folder + "/bin", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try manager.copyItem(atPath: file, toPath: folder + "/bin/activate")
            try manager.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder + "/bin/activate")
        } catch {
            throw AgentBinaryError.notAdded(file, reason: "\(error)")
        }
        let result = try await LocalCommand(["nix-store", "--add", folder], environment: environment).run()
        let path = trimmed(result.text)
        guard result.exit.isSuccess, path.hasPrefix("/") else {
            throw AgentBinaryError.notAdded(file, reason: result.errorText)
        }
        // One that was replaced meanwhile is another's content.
        if let identity, identity == FileIdentity(of: file) { memory.remember(path, of: identity) }
        return path
    }
}

enum AgentBinaryError: Error, Sendable, Equatable {
    case unreadable(String)
    /// Named with `--agent`, and no executable of Linux.
    case noProgram(String)
    case none(beside: String)
    case notAdded(String, reason: String)
}

extension AgentBinaryError: Explained, CustomStringConvertible {
    var description: String {
        switch self {
        case .unreadable(let file): "the agent \(file) cannot be read"
        case .noProgram(let file): "\(file) is no agent: it is not a program for Linux"
        case .none(let program): "there is no agent beside \(program)"
        case .notAdded(let file, let reason): "the agent \(file) cannot be added to the local store: \(reason)"
        }
    }

    var hint: String? {
        switch self {
        case .none: "`make install` puts it there (libexec/deploy-swift); or name one with --agent FILE"
        case .noProgram: "an agent is libexec/deploy-swift/<system>/activate of an installation"
        case .unreadable, .notAdded: nil
        }
    }
}
