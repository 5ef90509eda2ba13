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

    @Test(arguments: ["", "{", "\u{0}", "nul", String(repeating: "[", count: 100_000)])
    func whatIsNoJSONThrows(text: String) {
        #expect(throws: (any Error).self) { try JSONValue(parsing: Array(text.utf8)) }
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
