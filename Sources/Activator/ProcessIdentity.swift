import Glibc
import Shared

/// One process, and no later one with the same number.
struct ProcessIdentity: Sendable, Codable, Equatable {
    var id: Int32
    /// In clock ticks since boot.
    var startTime: Int64
    var bootID: String

    /// Nil if the process is gone, or /proc is.
    init?(of id: Int32) {
        // pid (comm) state ppid … starttime is field 22; comm may hold anything, so count from its last parenthesis.
        guard let text = readTextFile("/proc/\(id)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let startTime = Int64(fields[19]), fields[0] != "Z" else { return nil }
        self.id = id
        self.startTime = startTime
        bootID = currentBootID()
    }

    var isRunning: Bool { ProcessIdentity(of: id) == self }
}

/// Names this boot of the machine; empty where the kernel does not say.
func currentBootID() -> String { trimmed(readTextFile("/proc/sys/kernel/random/boot_id") ?? "") }
