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
    private let folder: String
    private let open = Mutex<[String: Int32]>([:])

    init(folder: String) throws(SystemError) {
        self.folder = folder
        try makeFolders(folder)
    }

    deinit { open.withLock { for descriptor in $0.values { close(descriptor) } } }

    /// Adds one line, with the time in front.
    func add(_ line: String, node: NodeName?) {
        let entry = "\(Date.now.formatted(.iso8601)) \(line)\n"
        append(entry, to: "deploy.log")
        if let node { append(entry, to: "\(fileName(node.text)).log") }
    }

    private func append(_ entry: String, to name: String) {
        open.withLock { files in
            let descriptor = files[name] ?? openLog("\(folder)/\(name)")
            guard descriptor >= 0 else { return }
            files[name] = descriptor
            // A full disk must not end a deploy whose messages are on the terminal as well.
            writeAll(descriptor, entry)
        }
    }

    /// A node's name as a file name: slashes and leading dots cannot lead out of the folder.
    private func fileName(_ name: String) -> String {
        let safe = name.replacing("/", with: "_")
        return safe.hasPrefix(".") || safe == "deploy" ? "_\(safe)" : safe
    }
}

private func openLog(_ path: String) -> Int32 { open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644) }
