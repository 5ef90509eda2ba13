/// What a command line asks the agent for.
public enum AgentInvocation: Sendable, Equatable {
    case run(AgentCommand, AgentOptions)
    case help
    case version
}

extension AgentCommand {
    /// Reads the words after the program's name, as clap reads deploy-rs's: options in any order, `--option=value`,
    /// `--` before words that begin with a dash.
    ///
    /// - Throws: ``AgentUsageError``, which names the option
    public static func parse(_ words: [String]) throws(AgentUsageError) -> AgentInvocation {
        var reader = OptionReader(words)
        var options = AgentOptions()
        while let word = try reader.next() {
            switch word {
            case .flag("-h"), .flag("--help"): return .help
            case .flag("-V"), .flag("--version"): return .version
            case .flag("-d"), .flag("--debug-logs"): options.debugLogs = true
            case .flag("--log-dir"): options.logDirectory = try reader.value("--log-dir")
            case .flag(let other): throw .unknownOption(other)
            case .plain("help"): return .help
            case .plain(let name):
                guard let command = AgentSubcommand(rawValue: name) else { throw .unknownCommand(name) }
                return try parse(command, &reader, &options)
            }
        }
        throw .missingCommand
    }

    private static func parse(
        _ name: AgentSubcommand, _ reader: inout OptionReader, _ options: inout AgentOptions
    ) throws(AgentUsageError) -> AgentInvocation {
        var found = AgentWords()
        while let word = try reader.next() {
            switch word {
            case .flag("-h"), .flag("--help"): return .help
            case .flag("-V"), .flag("--version"): return .version
            case .flag("-d"), .flag("--debug-logs"): options.debugLogs = true
            case .flag("--log-dir"): options.logDirectory = try reader.value("--log-dir")
            case .flag(let option): try found.take(option, for: name, &reader)
            case .plain(let text):
                guard found.paths.count < name.pathLimit else { throw .unexpectedArgument(text) }
                found.paths.append(text)
            }
        }
        return .run(try found.command(name), options)
    }
}

/// A command line that cannot be read; the sentence names what is wrong with it.
public enum AgentUsageError: Error, Sendable, Equatable, CustomStringConvertible {
    case missingCommand
    case unknownCommand(String)
    case unknownOption(String)
    case unexpectedArgument(String)
    case missingValue(option: String)
    /// A flag was given a value.
    case unexpectedValue(option: String)
    case invalidValue(option: String, value: String, expected: String)
    case repeated(option: String)
    case missing(String)
    case conflict(String, String)

    public var description: String {
        switch self {
        case .missingCommand: "a command is missing: activate, wait, revoke, confirm, status, recover or hold"
        case .unknownCommand(let name): "unknown command \"\(name)\""
        case .unknownOption(let option): "unknown option \(option)"
        case .unexpectedArgument(let text): "unexpected argument \"\(text)\""
        case .missingValue(let option): "option \(option) needs a value"
        case .unexpectedValue(let option): "option \(option) takes no value"
        case .invalidValue(let option, let value, let expected):
            "option \(option): \"\(value)\" is not \(expected)"
        case .repeated(let option): "option \(option) is given more than once"
        case .missing(let what): "\(what) is missing"
        case .conflict(let one, let other): "\(one) and \(other) exclude each other"
        }
    }
}

/// Cuts words into options, their values and plain arguments.
struct OptionReader {
    enum Word: Equatable {
        case flag(String)
        case plain(String)
    }

    private var rest: ArraySlice<String>
    private var onlyPlain = false
    /// What stood after `=`, until someone takes it.
    private var attached: (option: String, value: String)?

    init(_ words: [String]) { rest = words[...] }

    mutating func next() throws(AgentUsageError) -> Word? {
        if let attached { throw .unexpectedValue(option: attached.option) }
        guard let word = rest.popFirst() else { return nil }
        if onlyPlain || !word.hasPrefix("-") || word == "-" { return .plain(word) }
        if word == "--" {
            onlyPlain = true
            return try next()
        }
        guard word.hasPrefix("--"), let split = word.firstIndex(of: "=") else { return .flag(word) }
        let option = String(word[..<split])
        attached = (option, String(word[word.index(after: split)...]))
        return .flag(option)
    }

    /// The value of the option just read. As in clap, a following word that begins with a dash is no value.
    mutating func value(_ option: String) throws(AgentUsageError) -> String {
        if let attached {
            self.attached = nil
            return attached.value
        }
        guard let word = rest.first, !word.hasPrefix("-") || word == "-" else { throw .missingValue(option: option) }
        rest = rest.dropFirst()
        return word
    }
}
