/// Where a text stops being JSON.
struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Bytes from the start.
    var offset: Int
    var expected: String

    var description: String { "expected \(expected) at byte \(offset)" }
}

/// Reads JSON bytes (RFC 8259); of a key that occurs twice, the last value.
///
/// Foundation's decoder into an enum of all kinds takes a second for the answer of a thousand nodes; this takes
/// milliseconds.
struct JSONParser {
    private let bytes: [UInt8]
    private var offset = 0
    private var depth = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The one value that the bytes hold.
    mutating func document() throws(JSONError) -> JSONValue {
        let value = try value()
        skipBlanks()
        if offset < bytes.count { throw wrong("the end") }
        return value
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        skipBlanks()
        switch peek {
        case UInt8(ascii: "{"): return try nested { parser throws(JSONError) in try parser.object() }
        case UInt8(ascii: "["): return try nested { parser throws(JSONError) in try parser.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func nested(
        _ read: (inout JSONParser) throws(JSONError) -> JSONValue
    ) throws(JSONError) -> JSONValue {
        depth += 1
        if depth > 256 { throw wrong("less nesting") }
        let value = try read(&self)
        depth -= 1
        return value
    }

    private mutating func object() throws(JSONError) -> JSONValue {
        var entries: [String: JSONValue] = [:]
        offset += 1
        if take("}") { return .object(entries) }
        repeat {
            skipBlanks()
            let key = try string()
            guard take(":") else { throw wrong("a colon") }
            entries[key] = try value()
        } while take(",")
        guard take("}") else { throw wrong("a comma or a brace") }
        return .object(entries)
    }

    private mutating func array() throws(JSONError) -> JSONValue {
        var elements: [JSONValue] = []
        offset += 1
        if take("]") { return .array(elements) }
        repeat { elements.append(try value()) } while take(",")
        guard take("]") else { throw wrong("a comma or a bracket") }
        return .array(elements)
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let text = bytes[offset...].prefix { "+-.0123456789eE".utf8.contains($0) }
        let number = String(decoding: text, as: UTF8.self)
        // The standard library reads a little more than JSON allows, such as a plus sign; Nix writes none of it.
        if let integer = Int(number) {
            offset += text.count
            return .integer(integer)
        }
        guard let double = Double(number) else { throw wrong("a value") }
        offset += text.count
        return .number(double)
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard bytes[offset...].starts(with: word.utf8) else { throw wrong(word) }
        offset += word.utf8.count
        return value
    }

    // MARK: Strings

    private mutating func string() throws(JSONError) -> String {
        guard peek == UInt8(ascii: "\"") else { throw wrong("a string") }
        offset += 1
        var text: [UInt8] = []
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                offset += 1
                try appendEscaped(to: &text)
            case ..<0x20: throw wrong("no control character")
            default:
                text.append(byte)
                offset += 1
            }
        }
        throw wrong("the end of the string")
    }

    private mutating func appendEscaped(to text: inout [UInt8]) throws(JSONError) {
        guard let letter = peek else { throw wrong("an escape") }
        offset += 1
        if letter == UInt8(ascii: "u") {
            text += Array(String(try escapedScalar()).utf8)
        } else if let byte = Self.escapes[letter] {
            text.append(byte)
        } else {
            throw wrong("an escape")
        }
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "\\"): UInt8(ascii: "\\"),
        UInt8(ascii: "/"): UInt8(ascii: "/"), UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12, UInt8(ascii: "n"): 10,
        UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9,
    ]

    /// A scalar after `\u`, of one unit or of a surrogate pair; half a pair becomes U+FFFD.
    private mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xdc00, bytes[offset...].starts(with: "\\u".utf8) else { return "\u{fffd}" }
        offset += 2
        let second = try hexadecimal()
        guard (0xdc00...0xdfff).contains(second) else { return Unicode.Scalar(second) ?? "\u{fffd}" }
        return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) ?? "\u{fffd}"
    }

    private mutating func hexadecimal() throws(JSONError) -> UInt32 {
        let digits = bytes[offset...].prefix(4)
        guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw wrong("four hexadecimal digits") }
        offset += 4
        return value
    }

    // MARK: Bytes

    private var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipBlanks() {
        while let byte = peek, byte == 32 || (9...10).contains(byte) || byte == 13 { offset += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard peek == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private func wrong(_ expected: String) -> JSONError { JSONError(offset: offset, expected: expected) }
}
