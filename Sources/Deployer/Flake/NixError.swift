import Shared

/// A Nix program that ended without success.
struct NixFailure: Sendable, Equatable, CustomStringConvertible {
    var words: [String]
    var exit: Exit
    /// The end of its error output, oldest first.
    var lastLines: [String]

    /// The program with its subcommand, such as `nix flake check`.
    var program: String {
        guard words.first == "nix" else { return words.first ?? "" }
        let commands = words.dropFirst().prefix { !$0.hasPrefix("-") }
        let count = ["flake", "store"].contains(commands.first) ? 2 : 1
        return (["nix"] + commands.prefix(count)).joined(separator: " ")
    }

    var description: String {
        (["\(program) ended with \(exit)"] + withoutErrorPrefix(lastLines)).joined(separator: "\n")
    }
}

/// Lines of Nix without its own `error:` in front: ours is there already.
func withoutErrorPrefix(_ lines: [String]) -> [String] {
    let prefix = "error:"
    return lines.compactMap { line in
        guard line.hasPrefix(prefix) else { return line }
        let rest = line.dropFirst(prefix.count).drop { $0 == " " }
        return rest.isEmpty ? nil : String(rest)
    }
}

/// What can go wrong with any Nix program.
enum NixError: Explained, Equatable {
    case notInstalled(program: String)
    case failed(NixFailure)

    var description: String {
        switch self {
        case .notInstalled(let program): "\"\(program)\" was not found in PATH"
        case .failed(let failure): failure.description
        }
    }

    var hint: String? {
        switch self {
        case .notInstalled: "install Nix: https://nixos.org/download"
        case .failed: nil
        }
    }
}
