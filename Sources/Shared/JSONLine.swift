#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// JSON as both halves speak it: one value a line, keys sorted, slashes as they are.
public enum JSONLine {
    /// The value as one line without its line feed.
    ///
    /// - Throws: `EncodingError` for a value that JSON cannot hold, such as an infinite number
    public static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// The value that a line holds.
    ///
    /// - Throws: `DecodingError`
    public static func decode<Value: Decodable>(_ type: Value.Type, from line: some StringProtocol) throws -> Value {
        try JSONDecoder().decode(type, from: Data(line.utf8))
    }
}
