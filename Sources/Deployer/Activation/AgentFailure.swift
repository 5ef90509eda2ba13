import Shared

/// The agent ended without saying how the activation ended.
struct AgentFailure: Error, CustomStringConvertible {
    let exit: RemoteExit
    /// The last lines of its standard error.
    let lines: [String]

    var description: String {
        lines.isEmpty
            ? "the agent ended with \(exit)" : "the agent ended with \(exit): \(lines.joined(separator: "\n"))"
    }
}
