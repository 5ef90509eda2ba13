import Foundation

/// A JSON schema with as many keywords as `events.json` has; keys that it does not know are problems too.
struct JSONSchema {
    private let root: [String: Any]

    init(file: String) throws {
        root = try Self.object(try Data(contentsOf: URL(fileURLWithPath: file)))
    }

    private struct NoObject: Error {}

    private static func object(_ data: Data) throws -> [String: Any] {
        guard let object = try JSONSerialization.jsonObject(with: data) as? [String: Any] else { throw NoObject() }
        return object
    }

    /// What is wrong with a text that has an object in each line; a text without lines is wrong.
    func problems(inLines text: String) throws -> [String] {
        let lines = text.split(separator: "\n")
        if lines.isEmpty { return ["there are no lines"] }
        return try lines.flatMap { line in
            check(try Self.object(Data(line.utf8)), root, "").map { "\($0) in \(line)" }
        }
    }

    private func check(_ value: Any, _ schema: [String: Any], _ path: String) -> [String] {
        if let reference = schema["$ref"] as? String {
            let definitions = root["$defs"] as? [String: Any]
            let name = reference.split(separator: "/").last.map(String.init) ?? ""
            guard let target = definitions?[name] as? [String: Any] else { return ["\(path): no \(reference)"] }
            return check(value, target, path)
        }
        if let type = schema["type"] as? String, !fits(value, type) { return ["\(path): not of type \(type)"] }
        var problems: [String] = []
        for allowed in [schema["enum"] as? [NSObject], (schema["const"] as? NSObject).map { [$0] }] {
            if let allowed, !allowed.contains(where: { $0.isEqual(value) }) { problems.append("\(path): is \(value)") }
        }
        if let minimum = schema["minimum"] as? NSNumber, let number = value as? NSNumber,
            number.doubleValue < minimum.doubleValue
        {
            problems.append("\(path): \(number) is too small")
        }
        let elements = value as? [Any] ?? []
        if let items = schema["items"] as? [String: Any] {
            problems += elements.enumerated().flatMap { check($1, items, "\(path)[\($0)]") }
        }
        return problems + members(of: value as? [String: Any] ?? [:], schema, path)
    }

    private func members(of object: [String: Any], _ schema: [String: Any], _ path: String) -> [String] {
        let missing = (schema["required"] as? [String] ?? []).filter { object[$0] == nil }
        guard let properties = schema["properties"] as? [String: Any] else { return missing.map { "no \(path).\($0)" } }
        return missing.map { "no \(path).\($0)" }
            + object.flatMap { name, value in
                guard let rule = properties[name] as? [String: Any] else { return ["\(path).\(name) is not known"] }
                return check(value, rule, "\(path).\(name)")
            }
    }

    private func fits(_ value: Any, _ type: String) -> Bool {
        switch type {
        case "string": value is String
        case "object": value is [String: Any]
        case "array": value is [Any]
        case "boolean": value is Bool
        case "integer": (value as? NSNumber).map { $0.doubleValue == $0.doubleValue.rounded() } ?? false
        case "number": value is NSNumber
        default: false
        }
    }
}
