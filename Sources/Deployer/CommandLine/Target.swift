#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What one word of the command line asks for: a whole source, a node, or one profile of a node.
struct Target: Sendable, Hashable {
    var source: Source
    var node: String?
    /// Only with a node.
    var profile: String?

    /// Reads `flake`, `flake#node` or `flake#node.profile`; a name with dots stands in quotes, as in
    /// `flake#"my.server".system`, and may hold the escapes of a Nix string.
    init(_ text: String) throws(TargetError) {
        let parts = text.unicodeScalars.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let flake = parts.first.map { String($0) } ?? ""
        if flake.hasPrefix("-") { throw .optionLike(text) }
        source = .flake(flake.isEmpty ? Options.defaultTarget : flake)
        if parts.count > 1 { try take(Substring(parts[1]), of: text) }
    }

    /// Reads `node` or `node.profile` of a file; nothing, or a dot, asks for all of it.
    ///
    /// - Parameter file: relative to our working folder, or absolute
    init(_ text: String, file: String) throws(TargetError) {
        source = .file(Self.absolute(file))
        // The default target is a dot, so scripts may well name it.
        if text == Options.defaultTarget { return }
        if text.contains("#") && !text.contains("\"") { throw .hashWithFile(text) }
        try take(Substring(text), of: text)
    }

    /// All targets of a command line, at least one.
    static func all(of options: Options) throws(TargetError) -> [Target] {
        let words = options.targets.isEmpty ? [Options.defaultTarget] : options.targets
        var targets: [Target] = []
        for word in words {
            if let file = options.file {
                targets.append(try Target(word, file: file))
            } else {
                targets.append(try Target(word))
            }
        }
        return targets
    }

    private mutating func take(_ fragment: Substring, of text: String) throws(TargetError) {
        var parser = FragmentParser(fragment, of: text)
        let names = try parser.names()
        node = names.first
        profile = names.count > 1 ? names[1] : nil
    }

    private static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: path).path
    }
}

/// A target that cannot be read.
enum TargetError: Explained, Equatable {
    case tooManyParts(String, suggestion: String)
    case emptyName(String)
    case openQuote(String)
    case interpolation(String)
    case unexpected(Character, String)
    case hashWithFile(String)
    case optionLike(String)

    var description: String {
        switch self {
        case .tooManyParts(let target, _): "target \"\(target)\" has more parts than a node and a profile"
        case .emptyName(let target): "target \"\(target)\" has an empty name"
        case .openQuote(let target): "target \"\(target)\" has a quote without an end"
        case .interpolation(let target): "target \"\(target)\" has a ${…} that cannot be evaluated here"
        case .unexpected(let character, let target): "target \"\(target)\" has an unexpected \"\(character)\""
        case .hashWithFile(let target): "target \"\(target)\" names a flake, but --file is given"
        case .optionLike(let target): "target \"\(target)\" starts with a dash"
        }
    }

    var hint: String? {
        switch self {
        case .tooManyParts(_, let suggestion): "did you mean quotes? '\(suggestion)'"
        case .emptyName, .unexpected: "targets look like .#web1.system or '.#\"my.server\".system'"
        case .openQuote: "the shell takes quotes away: write '.#\"my.server\".system'"
        case .interpolation: "a plain dollar sign is written \\$"
        case .hashWithFile: "with --file a target is node or node.profile"
        case .optionLike(let target): "a folder of that name is ./\(target)"
        }
    }
}
