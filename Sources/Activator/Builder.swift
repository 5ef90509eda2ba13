import Shared

/// The subcommands that build: `wrap` and the checks, run inside Nix's sandbox.
enum Builder {
    static func takes(_ word: String?) -> Bool { word == "wrap" || word?.hasPrefix("check-") == true }

    /// - Returns: the exit code
    static func run(_ words: [String]) -> Int32 {
        complain("this agent was built without \"\(words.first ?? "")\"", .usage)
    }
}
