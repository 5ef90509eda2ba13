import Foundation
import Testing

@testable import Activator

private let interface = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../interface.json").standardized

/// The lines that the rules of interface.json give for a `deploy` attribute.
private func problems(_ deploy: String) throws -> [String] {
    let schema = try JSONDecoder().decode(CheckJSON.self, from: Data(contentsOf: interface))
    let value = try JSONDecoder().decode(CheckJSON.self, from: Data(deploy.utf8))
    return CheckSchemaRules(root: schema).problems(in: value)
}

private func node(_ text: String) -> String { #"{"nodes":{"web1":{"hostname":"h",\#(text)}}}"# }

private func profile(_ text: String) -> String { node(#""profiles":{"system":{"path":"/nix/store/x",\#(text)}}"#) }

struct CheckSchemaTests {
    @Test(arguments: [
        "{}", #"{"nodes":{}}"#, #"{"nodes":{"a.b":{"hostname":"h"}}}"#, node(#""profiles":{}"#),
        #"{"nodes":{"a":{"hostname":["h","fd00::1"]}},"buildOn":"target","agentPath":"/a"}"#,
        node(#""profilesOrder":["b","a"],"profiles":{"1 2":{"path":"p","profilePath":"q"}}"#),
        profile(#""confirmTimeout":0,"activationTimeout":65535,"sshOpts":[],"unheardOf":1"#),
        #"{"sshUser":"a","user":"b","sudo":"doas -u","interactiveSudo":true,"sshOpts":["-p","1"],"remoteBuild":true}"#,
        #"{"onPartialFailure":"warn"}"#,
        #"{"fastConnection":true,"autoRollback":false,"magicRollback":false,"tempPath":"/t","confirmTimeout":30.0}"#,
    ])
    func aCorrectDeployHasNoProblems(deploy: String) throws {
        #expect(try problems(deploy) == [])
    }

    @Test(arguments: [
        ("[]", "deploy: expected an attribute set, found a list"),
        (#"{"nodes":[]}"#, "deploy.nodes: expected an attribute set, found a list"),
        (#"{"nodes":{"a.b":1}}"#, #"deploy.nodes."a.b": expected an attribute set, found a number"#),
        (#"{"nodes":{"a":{}}}"#, "deploy.nodes.a: has no hostname, which is required"),
        (node(#""profiles":{"p":{}}"#), "deploy.nodes.web1.profiles.p: has no path, which is required"),
        (
            #"{"nodes":{"a":{"hostname":1}}}"#,
            "deploy.nodes.a.hostname: expected a string or a list, found a number"
        ), (#"{"nodes":{"a":{"hostname":["x",1]}}}"#, "deploy.nodes.a.hostname[1]: expected a string, found a number"),
        (node(#""profilesOrder":["a","a"]"#), #"deploy.nodes.web1.profilesOrder: "a" is there twice"#),
        (node(#""sshOpts":["-p",22]"#), "deploy.nodes.web1.sshOpts[1]: expected a string, found a number"),
        (profile(#""user":1"#), "deploy.nodes.web1.profiles.system.user: expected a string, found a number"),
        (profile(#""user":null"#), "deploy.nodes.web1.profiles.system.user: expected a string, found null"),
        (
            node(#""profiles":{"p":{"path":{"__functor":true}}}"#),
            "deploy.nodes.web1.profiles.p.path: expected a string, found a function"
        ),
        (#"{"onPartialFailure":"ignore"}"#, "deploy.onPartialFailure: expected rollback or warn, found ignore"),
        (#"{"magicRollback":"no"}"#, "deploy.magicRollback: expected a boolean, found a string"),
        (#"{"confirmTimeout":1.5}"#, "deploy.confirmTimeout: expected an integer, found 1.5"),
        (#"{"confirmTimeout":-1}"#, "deploy.confirmTimeout: expected a number from 0 to 65535, found -1"),
        (#"{"activationTimeout":65536}"#, "deploy.activationTimeout: expected a number from 0 to 65535, found 65536"),
    ])
    func aMistakeIsNamedWithItsFullPath(deploy: String, expected: String) throws {
        #expect(try problems(deploy) == [expected])
    }

    @Test func allMistakesAreNamedAtOnce() throws {
        #expect(try problems(#"{"user":1,"nodes":{"a":{"sudo":[]}}}"#).count == 3)
    }

    @Test func aRuleThatNobodyEnforcesIsAProblem() {
        let rules = CheckSchemaRules(root: .set(["pattern": .string("x")]))
        #expect(rules.problems(in: .null) == [#"interface.json: keyword "pattern" is not supported"#])
    }

    @Test func everySettingOfTheSchemaIsDescribed() throws {
        let schema = try JSONDecoder().decode(CheckJSON.self, from: Data(contentsOf: interface))
        let sets = ["settings", "node", "profile"].compactMap { schema["$defs"]?[$0]?["properties"]?.members }
        #expect(sets.map(\.count) == [20, 3, 2])
        for (name, setting) in sets.flatMap({ $0 }) {
            #expect(setting["description"]?.text?.hasSuffix(".") == true, "\(name)")
        }
    }
}
