import Glibc
import Shared

/// Which process works on the profile just now, a script or nix-env, for a successor that has to end it: the file
/// `script`.
///
/// It is written before that process begins its work, which it never does if we die first. So a successor that finds no
/// note can be sure that nothing runs, and that nothing will begin. Room for it is reserved, as for the journal.
struct RunningScript: Sendable {
    static let fileName = "script"
    /// Bytes: more than any note has.
    private static let size = 4096

    let folder: StateFolder

    init(folder: StateFolder) { self.folder = folder }

    /// - Throws: ``AgentError/noGeneration(link:)`` where nothing has been activated
    init(beside link: ProfileLink) throws {
        guard let folder = try StateFolder.find(beside: link) else { throw AgentError.noGeneration(link: link.path) }
        self.folder = folder
    }

    /// How a program is started that is noted here.
    var grouping: LocalCommand.Grouping { .announcedGroup { @Sendable in note($0) } }

    /// Makes a file that a note can be written to even once the disk is full.
    func reserve() throws(SystemError) { try folder.reserve(Self.fileName, size: Self.size) }

    /// Without the note a successor cannot end it; that is no reason to stop.
    private func note(_ id: Int32) {
        guard let identity = ProcessIdentity(of: id), let line = try? JSONLine.encode(identity),
            let file = try? folder.open(Self.fileName, O_WRONLY | O_CREAT)
        else { return }
        // Over what was there; half of it is as good as none, since that process still waits. Not made durable: none
        // outlives a power loss.
        let bytes = Array(line.utf8)
        let count = bytes.withUnsafeBytes { pwrite(file.raw, $0.baseAddress, $0.count, 0) }
        ftruncate(file.raw, max(0, count))
    }

    func clear() { folder.remove(Self.fileName) }

    /// Ends an activation script that outlived its guardian: two must not work on one system.
    func end(_ events: EventLog) async {
        guard let bytes = (try? folder.read(Self.fileName, limit: Self.size)) ?? nil,
            let script = try? JSONLine.decode(ProcessIdentity.self, from: String(decoding: bytes, as: UTF8.self)),
            script.isRunning
        else { return }
        events.send(.warning("what the interrupted activation had begun still ran (process \(script.id)): it is ended"))
        for signal in [SIGTERM, SIGKILL] {
            kill(-script.id, signal)
            for _ in 0..<50 where script.isRunning {
                try? await Task.sleep(for: .milliseconds(100))  // cancelling is not used here
            }
        }
    }
}
