import Shared

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The agents that came with this `deploy`, as paths in the local store, by system.
struct AgentBinary: Sendable {
    /// The value of `--agent` that asks for the closures' own.
    static let closureWord = "closure"

    /// Store paths that hold `bin/activate`, by system such as `x86_64-linux`; none to drive the closures' own.
    let paths: [String: String]

    /// Adds what there is to the local store, content-addressed.
    ///
    /// - Parameters:
    ///   - file: the agent named with `--agent`, for every system; nil for those installed next to `deploy`;
    ///     `closure` for none at all
    ///   - program: absolute path of the running `deploy`
    /// - Throws: ``AgentBinaryError``, ``LocalCommandError``
    static func add(file: String?, program: String) async throws -> AgentBinary {
        if file == closureWord { return AgentBinary(paths: [:]) }
        if let file {
            guard FileManager.default.isReadableFile(atPath: file) else { throw AgentBinaryError.unreadable(file) }
            let path = try await addToStore(file)
            return AgentBinary(paths: ["": path])
        }
        var paths: [String: String] = [:]
        for (system, file) in installed(beside: program) { paths[system] = try await addToStore(file) }
        guard !paths.isEmpty else { throw AgentBinaryError.none(beside: program) }
        return AgentBinary(paths: paths)
    }

    /// The agent's store path for a system; nil where the closures' own has to do.
    func path(for system: String) -> String? { paths[""] ?? paths[system] }

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
    private static func addToStore(_ file: String) async throws -> String {
        let manager = FileManager.default
        let scratch = manager.temporaryDirectory.path + "/deploy-agent-\(try Nonce.random())"
        defer {
            // Left-overs in the temporary folder harm nobody.
            try? manager.removeItem(atPath: scratch)
        }
        let folder = "\(scratch)/deploy-swift-agent"
        do {
            try manager.createDirectory(
                atPath: folder + "/bin", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try manager.copyItem(atPath: file, toPath: folder + "/bin/activate")
            try manager.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder + "/bin/activate")
        } catch {
            throw AgentBinaryError.notAdded(file, reason: "\(error)")
        }
        let result = try await LocalCommand(["nix-store", "--add", folder]).run()
        let path = trimmed(result.text)
        guard result.exit.isSuccess, path.hasPrefix("/") else {
            throw AgentBinaryError.notAdded(file, reason: result.errorText)
        }
        return path
    }
}

enum AgentBinaryError: Error, Sendable, Equatable {
    case unreadable(String)
    case none(beside: String)
    case notAdded(String, reason: String)
}

extension AgentBinaryError: Explained, CustomStringConvertible {
    var description: String {
        switch self {
        case .unreadable(let file): "the agent \(file) cannot be read"
        case .none(let program): "there is no agent beside \(program)"
        case .notAdded(let file, let reason): "the agent \(file) cannot be added to the local store: \(reason)"
        }
    }

    var hint: String? {
        switch self {
        case .none: "`make install` puts it there (libexec/deploy-swift); or name one with --agent FILE"
        case .unreadable, .notAdded: nil
        }
    }
}
