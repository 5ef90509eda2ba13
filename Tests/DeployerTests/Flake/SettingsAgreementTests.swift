import Foundation
import Shared
import Testing

@testable import Deployer

/// The schema, the decoder and the README's table tell the same about every setting.
struct SettingsAgreementTests {
    private static let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../..").standardized

    private func text(_ name: String) throws -> String {
        try String(contentsOf: Self.root.appendingPathComponent(name), encoding: .utf8)
    }

    /// The schema's properties at a place, each with its own schema.
    private func properties(_ path: String...) throws -> [String: JSONValue] {
        var value = try JSONValue(parsing: Array(text("interface.json").utf8))
        for key in path { value = try #require(value[key]) }
        return try #require(value["properties"]).entries
    }

    @Test func theSchemaHasTheAttributesThatAreRead() throws {
        let settings = try Set(properties("$defs", "settings").keys)
        #expect(settings == Set(Setting.allCases.map(\.rawValue)))
        #expect(try Set(properties().keys).union(settings) == Set(AttributeLevel.deploy.known))
        #expect(try Set(properties("$defs", "node").keys).union(settings) == Set(AttributeLevel.node.known))
        #expect(try Set(properties("$defs", "profile").keys).union(settings) == Set(AttributeLevel.profile.known))
    }

    private static let samples: [String: JSONValue] = [
        "string": .string("x"), "boolean": .bool(true), "integer": .integer(1), "array": .array([.string("x")]),
    ]

    @Test(arguments: Setting.allCases)
    func theDecoderTakesTheSchemasTypeAlone(setting: Setting) throws {
        let schema = try #require(try properties("$defs", "settings")[setting.rawValue])
        let types = try types(of: schema)
        // Of strings that are a choice, only one of them is of the type.
        let choice = schema["enum"]?.elements.first.map { ["string": $0] } ?? [:]
        for (sampleType, sample) in Self.samples.merging(choice, uniquingKeysWith: { $1 }) {
            var decoder = DeploymentDecoder()
            let settings = decoder.deployment(answer([setting.rawValue: sample])).settings
            #expect(decoder.problems.isEmpty == types.contains(sampleType))
            #expect((settings == Settings()) != types.contains(sampleType))
        }
        guard types == ["integer"] else { return }
        #expect(schema["maximum"] == .integer(65535))
        guard case .integer(let least) = schema["minimum"] else {
            Issue.record("no minimum")
            return
        }
        for number in [least - 1, least] {
            var decoder = DeploymentDecoder()
            _ = decoder.deployment(answer([setting.rawValue: .integer(number)]))
            #expect(decoder.problems.isEmpty == (number == least))
        }
    }

    @Test func theDecoderTakesTheSchemasChoicesAlone() throws {
        let schema = try #require(try properties("$defs", "settings")["onPartialFailure"])
        #expect(schema["enum"]?.elements.compactMap(\.text) == PartialFailurePolicy.allCases.map(\.rawValue))
        var decoder = DeploymentDecoder()
        _ = decoder.deployment(answer(["onPartialFailure": .string("ignore")]))
        #expect(decoder.problems.map(\.expected) == [#""rollback" or "warn""#])
    }

    @Test(arguments: Setting.allCases)
    func theReadmeSaysTheSchemasType(setting: Setting) throws {
        let names = [
            "string": "string", "boolean": "boolean", "integer": "integer, seconds", "array": "list of strings",
        ]
        let types = try types(of: try #require(try properties("$defs", "settings")[setting.rawValue]))
        let words = try types.map { try #require(names[$0]) }.joined(separator: " or ")
        #expect(try text("README.md").contains("| `\(setting.rawValue)` | \(words) |"))
    }

    /// One or several.
    private func types(of schema: JSONValue) throws -> [String] {
        let type = try #require(schema["type"])
        return type.text.map { [$0] } ?? type.elements.compactMap(\.text)
    }

    @Test func theReadmeNamesEveryOption() throws {
        let readme = try text("README.md")
        for option in OptionName.allCases where option != .help && option != .version {
            #expect(readme.contains("`\(option.long)"), "\(option.long)")
        }
    }

    /// What Nix answers for a `deploy` attribute with these values and no nodes.
    private func answer(_ values: [String: JSONValue]) -> JSONValue {
        .object([
            "type": .string("set"), "values": .object(values), "unknown": .array([]), "childrenType": .string("set"),
            "names": .array([]), "children": .object([:]),
        ])
    }
}
