/// A command line that cannot be meant.
enum UsageError: Explained, Equatable {
    case unknownOption(String, nearest: String?)
    /// Nothing, or another option, stands where the value should.
    case missingValue(String, found: String?)
    case unexpectedValue(String)
    case invalidValue(String, String, expected: String)
    case repeated(String)
    case clash(String, String)
    case extraTarget(String)

    var description: String {
        switch self {
        case .unknownOption(let option, _): "unknown option \(option)"
        case .missingValue(let option, nil): "option \(option) needs a value"
        case .missingValue(let option, let found?): "option \(option) needs a value, not the option \(found)"
        case .unexpectedValue(let option): "option \(option) takes no value"
        case .invalidValue(let option, let value, let expected):
            "option \(option): expected \(expected), found \"\(value)\""
        case .repeated(let option): "option \(option) is given twice"
        case .clash(let first, let second): "\(first) cannot be used with \(second)"
        case .extraTarget(let word): "unexpected argument \"\(word)\""
        }
    }

    var hint: String? {
        switch self {
        case .unknownOption(_, let name?): "did you mean --\(name)?"
        case .unknownOption: "deploy --help lists the options"
        case .missingValue(let option, let found?): "a value that starts with a dash is written \(option)=\(found)"
        case .extraTarget: "several targets go after --targets, arguments for nix after --"
        case .missingValue, .unexpectedValue, .invalidValue, .repeated, .clash: nil
        }
    }
}
