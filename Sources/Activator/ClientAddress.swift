import Glibc
import Shared

/// The address that our SSH session came from, as this node saw it; nil where that cannot be told.
///
/// sudo drops `SSH_CONNECTION`, so it is looked for in our ancestors as well, as far as we may look.
func clientAddress(_ environment: [String: String]) -> String? {
    if let address = firstWord(environment["SSH_CONNECTION"]) { return address }
    var process = getppid()
    // Deeper than any chain of sudo and shells; process 1 has no session.
    for _ in 0..<16 where process > 1 {
        let prefix = "SSH_CONNECTION="
        let text = readTextFile("/proc/\(process)/environ") ?? ""
        if let entry = text.split(separator: "\0").first(where: { $0.hasPrefix(prefix) }) {
            return firstWord(String(entry.dropFirst(prefix.count)))
        }
        guard let parent = parent(of: process) else { return nil }
        process = parent
    }
    return nil
}

private func firstWord(_ text: String?) -> String? {
    text?.split(separator: " ").first.map { String($0.prefix(64)) }
}

private func parent(of process: Int32) -> Int32? {
    // pid (comm) state ppid …; comm may hold anything.
    guard let text = readTextFile("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    return fields.count > 1 ? Int32(fields[1]) : nil
}
