import Glibc
import Shared

/// The agent as a builder of derivations: static, it needs no shell and no coreutils in the Nix sandbox.
///
/// What it works on comes from the environment, as Nix hands over a derivation's attributes; `out` is what it makes.
enum Builder {
    /// Whether words belong here, by the first of them.
    static func takes(_ word: String?) -> Bool { word == "wrap" || word == "check-schema" || word == "check-activate" }

    /// Runs the builder that the words name, with the process's environment.
    ///
    /// - Parameter words: those after the program's name
    /// - Returns: the exit status: 0, 1 with the reason on standard error, 2 for words that it does not know
    static func run(_ words: [String]) -> Int32 {
        do {
            let attributes = BuilderAttributes(currentEnvironment())
            switch words {
            case ["wrap"]: try Wrap(attributes).run()
            case ["wrap", "--package"]: try WrapPackage(attributes).run()
            case ["check-schema"]: try CheckSchema(attributes).run()
            case ["check-activate"]: try CheckActivate(attributes).run()
            default: throw BuilderError.unknownWords(words)
            }
            return ExitCode.done.rawValue
        } catch {
            report("activate: error: \(error)")
            if case BuilderError.unknownWords = error { return ExitCode.usage.rawValue }
            return ExitCode.failed.rawValue
        }
    }

    /// Writes one line to standard error, which Nix keeps as the build log.
    static func report(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        // A build log that cannot be written leaves nowhere to say so.
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// Why a derivation could not be built.
enum BuilderError: Error, Equatable, CustomStringConvertible {
    case unknownWords([String])
    /// Nix did not set this: the program was not started as a builder.
    case missingAttribute(String)
    case baseIsNoFolder(String)
    /// The base holds a file that the wrapper makes itself.
    case baseHolds(entry: String, base: String)
    case notJSON(what: String, reason: String)
    /// What a check found, one line each.
    case problems([String])

    var description: String {
        switch self {
        case .unknownWords(let words):
            "not a builder's command line: \(words.joined(separator: " "))"
        case .missingAttribute(let name):
            "\(name) is not set: this subcommand is the builder of a derivation, made by lib/ in deploy-swift"
        case .baseIsNoFolder(let base):
            "\(base) is not a folder: a profile links to what its base holds; put the file into a folder, as in bin/"
        case .baseHolds(let entry, let base):
            "\(base) already holds \(entry): it has been made activatable before; wrap what it was made of instead"
        case .notJSON(let what, let reason): "\(what) is not the JSON that was expected: \(reason)"
        case .problems(let lines): lines.joined(separator: "\nactivate: error: ")
        }
    }
}
