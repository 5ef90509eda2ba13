import Shared
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The files of `--log-dir`: `deploy.log` with everything, `<node>.log` with what is about one node.
final class LogFiles: Sendable {
    private static let main = "deploy.log"

    private struct State {
        /// By file name.
        var open: [String: Int32] = [:]
        var failure: SystemError?
    }

    private let folder: String
    private let state = Mutex(State())

    /// - Throws: ``SystemError`` where the folder or `deploy.log` in it cannot be written to
    init(folder: String) throws(SystemError) {
        self.folder = folder
        try makeFolders(folder)
        if descriptor(of: LogFiles.main) == nil, let failure { throw failure }
    }

    deinit { state.withLock { for descriptor in $0.open.values { close(descriptor) } } }

    /// The first thing that could not be written; nil where all was.
    var failure: SystemError? { state.withLock { $0.failure } }

    /// Adds one line, with the time in front.
    func add(_ line: String, node: NodeName?) {
        let entry = "\(Date.now.formatted(.iso8601)) \(line)\n"
        append(entry, to: LogFiles.main)
        if let node { append(entry, to: "\(fileName(node.text)).log") }
    }

    private func append(_ entry: String, to name: String) {
        // A full disk must not end a deploy whose messages are on the terminal as well; it is told at the end.
        let path = path(name)
        guard let descriptor = descriptor(of: name), !writeAll(descriptor, entry) else { return }
        note(SystemError("write", path))
    }

    /// The open file; nil where it cannot be opened.
    private func descriptor(of name: String) -> Int32? {
        state.withLock { state in
            if let descriptor = state.open[name] { return descriptor }
            let path = path(name)
            let descriptor = openLog(path)
            guard descriptor >= 0 else {
                let failure = SystemError("open", path)
                state.failure = state.failure ?? failure
                return nil
            }
            state.open[name] = descriptor
            return descriptor
        }
    }

    private func note(_ failure: SystemError) { state.withLock { $0.failure = $0.failure ?? failure } }

    private func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// A node's name as a file name: slashes and leading dots cannot lead out of the folder.
    private func fileName(_ name: String) -> String {
        let safe = name.replacing("/", with: "_")
        return safe.hasPrefix(".") || safe == "deploy" ? "_\(safe)" : safe
    }
}

private func openLog(_ path: String) -> Int32 { open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644) }
