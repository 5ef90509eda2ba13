/// What names and values must be like before they reach a node's programs as arguments.
enum Rules {
    /// The reason why a text cannot be an argument at all; nil if it can.
    static func argument(_ text: String) -> String? {
        if text.isEmpty { return "is empty" }
        if text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) {
            return "holds a control character"
        }
        return nil
    }

    /// For a host or user name, which `ssh` and `sudo` must not take for an option.
    static func plainName(_ text: String) -> String? {
        if let reason = argument(text) { return reason }
        if text.hasPrefix("-") { return "starts with a dash" }
        if text.contains(where: \.isWhitespace) { return "holds white space" }
        return nil
    }

    /// For a user's name, which becomes a folder's name on the node.
    static func userName(_ text: String) -> String? {
        plainName(text) ?? (text.contains("/") || text == "." || text == ".." ? "is not a user's name" : nil)
    }

    /// For a profile's name where it becomes the name of its link.
    static func linkName(_ text: String) -> String? {
        if let reason = argument(text) { return reason }
        if text.hasPrefix("-") { return "starts with a dash" }
        return text.contains("/") || text == "." || text == ".." ? "cannot be the name of a link" : nil
    }

    /// For what a shell runs.
    static func shellText(_ text: String) -> String? { text.utf8.contains(0) ? "holds a NUL character" : nil }

    static func absolutePath(_ text: String) -> String? {
        argument(text) ?? (text.hasPrefix("/") ? nil : "is not an absolute path")
    }
}
