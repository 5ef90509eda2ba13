import Shared

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A derivation's attributes as its builder meets them: environment variables, or files named by those (`passAsFile`).
struct BuilderAttributes {
    private let environment: [String: String]

    init(_ environment: [String: String]) { self.environment = environment }

    /// The value of an attribute that must be there; a path or a name.
    func text(_ name: String) throws(BuilderError) -> String {
        guard let value = optionalText(name) else { throw .missingAttribute(name) }
        return value
    }

    /// The value of an attribute, nil if it is missing or empty: Nix hands over null as an empty string.
    func optionalText(_ name: String) -> String? {
        guard let value = environment[name], !value.isEmpty else { return nil }
        return value
    }

    /// The bytes of an attribute listed in `passAsFile`, of any size.
    func file(_ name: String) throws -> [UInt8] {
        try BuilderFiles.read(try text(name + "Path"))
    }

    /// The value of an attribute listed in `passAsFile` that holds JSON.
    func json<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
        try Self.decode(type, try file(name), what: "the attribute \(name)")
    }

    /// - Parameter what: names the text in the error
    static func decode<Value: Decodable>(
        _ type: Value.Type, _ bytes: [UInt8], what: String
    ) throws(BuilderError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw .notJSON(what: what, reason: "\(error)")
        }
    }
}
