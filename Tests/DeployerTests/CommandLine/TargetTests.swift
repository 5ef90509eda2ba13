import Foundation
import Testing

@testable import Deployer

struct TargetTests {
    @Test(
        arguments: [
            ("../deploy/examples/system", "../deploy/examples/system", nil, nil),
            ("../deploy/examples/system#", "../deploy/examples/system", nil, nil),
            (#"x#computer."something.nix""#, "x", "computer", "something.nix"),
            (#"x#"example.com".system"#, "x", "example.com", "system"),
            ("x#example", "x", "example", nil),
            ("x#example.system", "x", "example", "system"),
            ("#example", ".", "example", nil),
            ("", ".", nil, nil),
            ("github:a/b?ref=x#10-web.system", "github:a/b?ref=x", "10-web", "system"),
            (##"x#"we\"ird\${x}#\\"."a\nb$$c$""##, "x", ##"we"ird${x}#\"##, "a\nb$$c$"),
            ("x#ünï.çode", "x", "ünï", "çode"),
            // Marks that Swift would join to the quote or the hash before them.
            ("x#\"\u{301}a\".\"\u{200d}\"", "x", "\u{301}a", "\u{200d}"),
            ("x#\u{301}a", "x", "\u{301}a", nil),
        ] as [(String, String, String?, String?)])
    func readsATarget(text: String, flake: String, node: String?, profile: String?) throws {
        let target = try Target(text)
        #expect(target.source == .flake(flake))
        #expect(target.node == node)
        #expect(target.profile == profile)
    }

    @Test(arguments: [
        (".#my.server.system", TargetError.tooManyParts(".#my.server.system", suggestion: #".#"my.server".system"#)),
        (".#a.", .emptyName(".#a.")),
        (".#.a", .emptyName(".#.a")),
        (#".#"""#, .emptyName(#".#"""#)),
        (#".#"a"#, .openQuote(#".#"a"#)),
        (#".#"a\"#, .openQuote(#".#"a\"#)),
        (#".#"${a}""#, .interpolation(#".#"${a}""#)),
        (#".#a"b""#, .unexpected("\"", #".#a"b""#)),
        (".#a b", .unexpected(" ", ".#a b")),
        (".#a#b", .unexpected("#", ".#a#b")),
        ("-x", .optionLike("-x")),
    ])
    func refusesWhatIsNoTarget(text: String, expected: TargetError) {
        #expect(throws: expected) { try Target(text) }
    }

    @Test func targetsOfAFileHaveNoHash() throws {
        let here = FileManager.default.currentDirectoryPath
        #expect(try Target("web1.system", file: "x.nix").source == .file("\(here)/x.nix"))
        #expect(try Target("web1.system", file: "/a/../x.nix").profile == "system")
        #expect(try Target(".", file: "/x.nix").node == nil)
        #expect(throws: TargetError.hashWithFile(".#a")) { try Target(".#a", file: "/x.nix") }
    }

    @Test func unlessGivenTheTargetIsEverything() throws {
        #expect(try Target.all(of: Options([])) == [Target(".")])
        #expect(try Target.all(of: Options(["-f", "/x"])) == [Target(".", file: "/x")])
        #expect(try Target.all(of: Options(["--targets", "a", "b#c"])) == [Target("a"), Target("b#c")])
    }

    @Test func targetsOfOneFlakeBecomeOneRequest() throws {
        let targets = try ["a#x.p", "b", "a#x.q", "a#y", "a#y.p", "b#z"].map { try Target($0) }
        let requests = EvaluationRequest.grouping(targets)
        #expect(
            requests == [
                EvaluationRequest(
                    source: .flake("a"),
                    nodes: .named([NodeName("x"): .named([ProfileName("p"), ProfileName("q")]), NodeName("y"): .all])
                ),
                EvaluationRequest(source: .flake("b"), nodes: .all),
            ])
        #expect(try requests[0].json == #"{"x":["p","q"],"y":null}"#)
        #expect(try requests[1].json == "null")
    }
}
