import Foundation
import Testing

@testable import Deployer

struct DecoderTests {
    @Test(arguments: [
        "null", "1", "1e400", "\"x\"", "[]", "{}", "[[[[[]]]]]", #"{"type":"set"}"#,
        #"{"type":1,"values":2,"unknown":3}"#,
        #"{"type":"set","childrenType":"set","children":{"a":1,"b":null,"c":{"type":"set","path":{}}}}"#,
        #"{"type":"set","unknown":[1,null,"x"],"values":{"sshOpts":{"type":{}},"user":1.5}}"#,
    ])
    func anyAnswerIsReadOrRefused(text: String) throws {
        var decoder = DeploymentDecoder()
        // What is no JSON to Foundation is refused before it comes here.
        if let value = try? JSONValue(parsing: Array(text.utf8)) {
            _ = decoder.deployment(value)
            #expect(!decoder.problems.isEmpty)
        }
    }

    @Test(arguments: [
        "", " ", "{", "}", "\u{0}", "nul", "truefalse", "[1,]", "[1", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{1:2}",
        "\"",
        "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\n\"", "1 2", "-", "--1", "1e", "x",
        String(repeating: "[", count: 100_000),
    ])
    func whatIsNoJSONThrows(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
    }

    @Test(arguments: [
        (#" "a\"\\\/\b\f\n\r\tü" "#, JSONValue.string("a\"\\/\u{8}\u{c}\n\r\tü")),
        (#""\u00fc\ud83d\ude80\ud83dx\ude80""#, .string("ü🚀\u{fffd}x\u{fffd}")),
        (#""\ud83d\u0041""#, .string("A")), (" { } ", .object([:])), ("[ ]", .array([])),
        (#"{"a":[1, {"b":null}],"a":true}"#, .object(["a": .bool(true)])),
        ("9223372036854775808", .number(9223372036854775808)), ("-1.5e3", .number(-1500)),
    ])
    func readsJSON(text: String, expected: JSONValue) throws {
        #expect(try JSONValue(parsing: Array(text.utf8)) == expected)
    }

    @Test func anyBytesAreReadOrRefused() {
        var generator = Generator(state: 7)
        let pieces = #"{ } [ ] " \ , : 0 -1 1.5 true null "a" "type":"set" "children": \u d83d \ud83d"#.split(
            separator: " ")
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0..<12, using: &generator)).map { _ in
                pieces.randomElement(using: &generator) ?? ""
            }.joined()
            var bytes = Array(text.utf8)
            if !bytes.isEmpty && Bool.random(using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            // Only that it ends matters here.
            var decoder = DeploymentDecoder()
            if let value = try? JSONValue(parsing: bytes) { _ = decoder.deployment(value) }
        }
    }

    private static let samples = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Samples/nix")
        .standardized

    /// What these versions answered and traced about one flake, and about one file: byte for byte the same.
    @Test(arguments: ["2.8", "2.26", "2.34"])
    func theAnswersOfTheseVersionsAreRead(version: String) throws {
        let text = try sample("answer-\(version).json")
        var decoder = DeploymentDecoder()
        let deployment = decoder.deployment(try JSONValue(parsing: Array(text.utf8)))
        let node = try #require(deployment.nodes[NodeName(#"we"ird${x} ü"#)])
        #expect(node.hostname == "a" && node.fallbacks == ["fd00::1"])
        let paths = node.profiles.mapValues { $0.path.split(separator: "-", maxSplits: 1).last.map(String.init) }
        let names = ["a": "one", "b": "two/sub", "c": "/nix/store/plain", "d": "file", "e": "three-dev"]
        #expect(paths == Dictionary(uniqueKeysWithValues: names.map { (ProfileName($0), $1) }))
        let outputs = node.profiles.mapValues { $0.derivations.flatMap(\.outputs) }
        #expect(outputs[ProfileName("a")] == ["out"] && outputs[ProfileName("e")] == ["dev"])
        #expect(outputs[ProfileName("c")] == [] && outputs[ProfileName("d")] == [])
        #expect(decoder.warnings.map(\.path) == [["deploy", "future"]])
        let wrong = ["deploy", "nodes", "wrong"]
        let problems = decoder.problems.map { $0.path.starts(with: wrong) ? Array($0.path.dropFirst(3)) : $0.path }
        let expected = [
            ["deploy", "nodes", #"we"ird${x} ü"#, "tempPath"], ["profiles", "p", "path"], ["profiles", "p", "sshUser"],
            ["profiles", "p", "sshOpts"], ["hostname"],
        ]
        #expect(problems == expected, "\(decoder.problems)")
        for trace in try traces(version) {
            var early = DeploymentDecoder(areClosuresKnown: false)
            let settings = early.deployment(try JSONValue(parsing: Array(trace.utf8)))
            #expect(settings.nodes.count == 1 && settings.nodeNames == deployment.nodeNames)
            #expect(settings.settings == deployment.settings)
        }
    }

    private func sample(_ name: String) throws -> String {
        try String(contentsOf: Self.samples.appendingPathComponent(name), encoding: .utf8)
    }

    /// What follows the marker in each line that was traced.
    private func traces(_ version: String) throws -> [Substring] {
        let text = try sample("answer-\(version).log")
        let lines: [Substring] = text.split(separator: "\n").compactMap { line in
            line.firstRange(of: "deploy-swift ").map { line[$0.upperBound...].dropFirst(33) }
        }
        try #require(lines.count == 2)
        return lines
    }

    @Test func numbersKeepTheirKind() throws {
        let value = try JSONValue(parsing: Array("[true, 1, 0, -9223372036854775808, 1.5, null, \"1\"]".utf8))
        #expect(
            value == .array([.bool(true), .integer(1), .integer(0), .integer(.min), .number(1.5), .null, .string("1")]))
    }

    @Test func theCommandLinesAreTheseWords() throws {
        let evaluator = Evaluator(nix: Nix(version: NixVersion(2, 8), hasFlakes: true), extraArguments: ["--impure"])
        let flake = try evaluator.words(EvaluationRequest(source: .flake("."), nodes: .all), attribute: "deploy")
        #expect(flake.count == 7)
        #expect(flake[..<5] == ["nix", "eval", "--json", ".#deploy", "--apply"])
        #expect(flake[5].hasPrefix("deploy: let asked = builtins.fromJSON \"null\"; in "))
        #expect(flake.last == "--impure")
        let nodes = EvaluationRequest.Nodes.named([NodeName("a"): .named([ProfileName("p")])])
        let file = try evaluator.words(EvaluationRequest(source: .file("/x y.nix"), nodes: nodes), attribute: "deploy")
        #expect(file[..<6] == ["nix-instantiate", "--eval", "--strict", "--json", "--read-write-mode", "-E"])
        #expect(file[6].hasPrefix("{ ... }@args: let file = import \"/x y.nix\"; "))
        #expect(file[7...] == ["--argstr", "deploySwiftAsked", #"{"a":["p"]}"#, "--impure"])
    }
}

/// Random numbers that are the same in every run.
private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}
