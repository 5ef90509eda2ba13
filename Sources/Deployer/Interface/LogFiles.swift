import Foundation
import Shared
import Synchronization

/// The files of `--log-dir`: `deploy.log` with everything, `<node>.log` with what is about one node.
final class LogFiles: Sendable {
    private let folder: String
    private let open = Mutex<[String: Int32]>([:])

    init(folder: String) throws(SystemError) {
        self.folder = folder
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw SystemError("mkdir", folder, number: (error as NSError).posixNumber)
        }
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
            let descriptor =
                files[name]
                ?? Foundation.open(
                    "\(folder)/\(name)", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { return }
            files[name] = descriptor
            let bytes = Array(entry.utf8)
            // A full disk must not end a deploy whose messages are on the terminal as well.
            _ = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
        }
    }

    /// A node's name as a file name: slashes and leading dots cannot lead out of the folder.
    private func fileName(_ name: String) -> String {
        let safe = name.replacing("/", with: "_")
        return safe.hasPrefix(".") || safe == "deploy" ? "_\(safe)" : safe
    }
}

extension NSError {
    /// The error number behind a Foundation file error; `EIO` where it gives none.
    var posixNumber: Int32 {
        let underlying = userInfo[NSUnderlyingErrorKey] as? NSError ?? self
        return underlying.domain == NSPOSIXErrorDomain ? Int32(underlying.code) : EIO
    }
}
