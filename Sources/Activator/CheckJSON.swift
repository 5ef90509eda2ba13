/// Any JSON value, as the schema check walks it.
enum CheckJSON: Decodable, Equatable {
    case null
    case boolean(Bool)
    case number(Double)
    case string(String)
    case list([CheckJSON])
    case set([String: CheckJSON])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // One of these fits any JSON value; each `try?` only asks "is it this one?".
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([CheckJSON].self) {
            self = .list(value)
        } else {
            self = .set(try container.decode([String: CheckJSON].self))
        }
    }

    /// The value of a member; nil where there is none, or where this is no set.
    subscript(_ name: String) -> CheckJSON? {
        if case .set(let members) = self { members[name] } else { nil }
    }

    var members: [String: CheckJSON] { if case .set(let members) = self { members } else { [:] } }
    var elements: [CheckJSON] { if case .list(let elements) = self { elements } else { [] } }
    var text: String? { if case .string(let text) = self { text } else { nil } }
    var number: Double? { if case .number(let number) = self { number } else { nil } }

    /// What an error says was found, in Nix's words; `lib/checks.nix` marks a function as `{ __functor = true; }`.
    var kind: String {
        switch self {
        case .null: "null"
        case .boolean: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .list: "a list"
        case .set(let members): members["__functor"] == nil ? "an attribute set" : "a function"
        }
    }
}

/// A name as Nix writes it in an attribute path: bare, or quoted where it has to be.
struct NixName: CustomStringConvertible {
    let text: String

    init(_ text: String) { self.text = text }

    var description: String {
        let isBare = text.utf8.enumerated().allSatisfy { Self.isIdentifier($1, isFirst: $0 == 0) } && !text.isEmpty
        if isBare { return text }
        var quoted = ""
        for character in text {
            if character == "\"" || character == "\\" || character == "$" { quoted.append("\\") }
            quoted.append(character)
        }
        return "\"\(quoted)\""
    }

    private static func isIdentifier(_ byte: UInt8, isFirst: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "'"): !isFirst
        default: false
        }
    }
}
