/// Reads values of one attribute set, and notes each that has the wrong type.
struct AttributeReader {
    /// From `deploy` down to this set.
    let path: [String]
    private let values: [String: JSONValue]
    private(set) var problems: [AttributeProblem] = []

    init(path: [String], values: [String: JSONValue]) {
        self.path = path
        self.values = values
    }

    mutating func string(_ name: String) -> String? {
        guard let value = value(name) else { return nil }
        if let text = value.text { return text }
        note(name, expected: "a string", value)
        return nil
    }

    mutating func boolean(_ name: String) -> Bool? {
        guard let value = value(name) else { return nil }
        if case .bool(let flag) = value { return flag }
        note(name, expected: "true or false", value)
        return nil
    }

    mutating func seconds(_ name: String, atLeast least: Int = 0) -> Int? {
        guard let value = value(name) else { return nil }
        if case .integer(let number) = value, (least...65535).contains(number) { return number }
        note(name, expected: "an integer from \(least) to 65535", value)
        return nil
    }

    /// One of a few words.
    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(_ name: String) -> Choice? {
        guard let value = value(name) else { return nil }
        if let choice = value.text.flatMap(Choice.init(rawValue:)) { return choice }
        note(name, expected: Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "), value)
        return nil
    }

    mutating func strings(_ name: String) -> [String] {
        guard let value = value(name) else { return [] }
        guard case .array(let elements) = value else {
            note(name, expected: "a list of strings", value)
            return []
        }
        if let wrong = elements.first(where: { $0.text == nil }) {
            note(name, expected: "a list of strings", wrong, inList: true)
        }
        return elements.compactMap(\.text)
    }

    /// One string, or a list of one or more.
    mutating func oneOrMore(_ name: String) -> [String] {
        guard let value = value(name), case .array(let elements) = value else { return string(name).map { [$0] } ?? [] }
        if elements.isEmpty { note(name, expected: "a string or a list of strings", value, inList: false) }
        return strings(name)
    }

    /// One string, or a list of any number of them; nil if it is neither.
    mutating func texts(_ name: String) -> [String]? {
        guard let value = value(name) else { return nil }
        if case .array = value { return strings(name) }
        if let text = value.text { return [text] }
        note(name, expected: "a string or a list of strings", value)
        return nil
    }

    /// Null counts as unset, as in deploy-rs.
    private func value(_ name: String) -> JSONValue? {
        values[name] == .null ? nil : values[name]
    }

    private mutating func note(_ name: String, expected: String, _ value: JSONValue, inList: Bool = false) {
        let found = inList ? "a list with \(value.kind)" : value.kind
        problems.append(AttributeProblem(path: path + [name], expected: expected, found: found))
    }
}

/// An attribute whose value cannot be used.
struct AttributeProblem: Sendable, Equatable, CustomStringConvertible {
    var path: [String]
    var expected: String
    /// What is there instead; nil if nothing is.
    var found: String?

    var description: String {
        "\(NixText.attributePath(path)): expected \(expected), found \(found ?? "nothing")"
    }
}

/// An attribute that nothing reads.
struct UnknownAttribute: Sendable, Equatable, CustomStringConvertible {
    var path: [String]
    var nearest: String?
    /// How many more nodes or profiles have it.
    var others = 0

    var description: String {
        "\(NixText.attributePath(path))\(others > 0 ? " (and \(others) more like it)" : "") "
            + "is not an attribute that deploy knows and has no effect"
            + (nearest.map { "; did you mean \($0)?" } ?? "")
    }
}

extension JSONValue {
    /// What it is, as errors say it; an object stands for a Nix value of the type that it names.
    fileprivate var kind: String {
        switch self {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .integer(let number): "the integer \(number)"
        case .number: "a number"
        case .string(let text): text.utf8.count > 40 ? "a string" : "the string \(NixText.string(text))"
        case .array: "a list"
        case .object: typeName(self["type"]?.text ?? "set")
        }
    }
}

/// A type of Nix with its article.
func typeName(_ type: String) -> String {
    switch type {
    case "set": "an attribute set"
    case "lambda": "a function"
    case "int": "an integer"
    case "bool": "a boolean"
    case "null": "null"
    default: "a \(type)"
    }
}
