/// Any JSON value; a number that is not a 64-bit integer is kept as ``number``.
enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// - Throws: ``JSONError`` for anything that is not one JSON value, or is nested deeper than 256 levels
    init(parsing bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes)
        self = try parser.document()
    }

    subscript(_ key: String) -> JSONValue? {
        if case .object(let entries) = self { entries[key] } else { nil }
    }

    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    var entries: [String: JSONValue] {
        if case .object(let entries) = self { entries } else { [:] }
    }

    var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }
}
