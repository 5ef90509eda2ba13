import Foundation
import Shared
import Testing

/// What is wrong with a flake is told once, with its place, before anything happens on a node.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct FlakeTests {
    private static let profile = #"{ user = "root"; path = activate.noop (base "p"); }"#
    private static let node = #"{ hostname = "web1"; sshUser = "root"; profiles.system = \#(profile); }"#

    /// A `deploy` attribute, the target's fragment, and what is said; all end with exit status 1.
    private static let wrong: [(String, String, [String])] = [
        ("{ nodes.web1 = \(node) }", "", ["could not be evaluated", "syntax error, unexpected", "flake.nix:"]),
        (
            #"{ nodes.web1 = \#(node) // { confirmTimeout = "30"; }; }"#, "",
            ["deploy.nodes.web1.confirmTimeout: expected an integer from 0 to 65535, found the string \"30\""]
        ),
        (
            #"{ nodes.web1 = \#(node) // { profiles.a = { path = 7; magicRollback = 1; }; sshOpts = "-p 22"; }; }"#, "",
            [
                "deploy.nodes.web1.profiles.a.path: expected a derivation or a path, found an integer",
                "deploy.nodes.web1.profiles.a.magicRollback: expected true or false, found the integer 1",
                "deploy.nodes.web1.sshOpts: expected a list of strings",
            ]
        ),
        ("{ nodes.web1 = \(node); }", "#web2", [#"there is no node "web2""#, #"hint: there is "web1""#]),
        (
            "{ nodes.web1 = \(node); }", "#web1.sytem",
            [#"node "web1" has no profile "sytem""#, #"hint: it has "system""#]
        ),
        (
            #"{ nodes.web1 = \#(node) // { profiles.p = { path = activate.noop (base "p"); user = "a b"; }; }; }"#, "",
            [#"deploy.nodes.web1.profiles.p.user: "a b" holds white space"#]
        ),
        (
            #"{ nodes.web1 = \#(node) // { profilesOrder = [ "sistem" ]; }; }"#, "",
            [#"profilesOrder of node "web1" names "sistem""#, #"it has "system""#]
        ),
        ("{ nodes = { }; }", "", ["there is nothing to deploy"]),
        (#"throw "not today""#, "", ["could not be evaluated", "not today"]),
        (
            #"{ nodes.web1 = \#(node) // { profiles.app = { user = "app"; path = throw "no app"; }; }; }"#, "",
            ["could not be evaluated, at deploy.nodes.web1.profiles.app: nix eval", "no app"]
        ),
    ]

    @Test func everyMistakeIsNamedWithItsPlace() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab)
            for (deploy, fragment, texts) in Self.wrong {
                try fixture.write(deploy: deploy)
                let result = try await lab.deploy([fixture.flake + fragment])
                expect(result, .failed)
                for text in texts { expect(result, .failed, says: text) }
                let errors = result.errorText.split(separator: "\n").filter { $0.hasPrefix("deploy: error: ") }
                #expect(errors.first?.contains("\u{1b}") == false, "\(result.errorText)")
                // Nix's message is not told twice, once as it comes and once as our error.
                for message in ["syntax error", "not today", "no app"] {
                    let lines = result.errorText.split(separator: "\n").filter { $0.contains(message) }
                    // The line of source that throws may be shown as well.
                    #expect(lines.count { !$0.contains("throw") } <= 1, "\(result.errorText)")
                }
                expect(result, saysNot: "error: error:")
            }
        }
    }

    @Test func aFlakeWithoutDeployIsToldWhatItLacks() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab)
            try "{ outputs = { self }: { packages = { }; }; }".write(
                toFile: fixture.folder + "/flake.nix", atomically: true, encoding: .utf8)
            expect(try await lab.deploy([fixture.flake]), .failed, says: "does not provide attribute", "deploy")
            let missing = try await lab.deploy(["path:\(lab.folder)/nowhere"])
            expect(missing, .failed, says: "\(lab.folder)/nowhere", "could not be evaluated")
        }
    }

    @Test func whatIsWrongWithTheFlakeIsNotTakenForAFailedCheck() async throws {
        try await Lab.withNode { lab, _ in
            let deploy = "\(Lab.prefix ?? "")/bin/deploy"
            let fixture = try Fixture(in: lab).write(deploy: "{ nodes.web1 = }")
            for flake in [fixture.flake, "path:\(lab.folder)/nowhere"] {
                let result = try await lab.run([deploy, flake])
                expect(result, .failed, says: "deploy: error: \(flake) could not be evaluated", "nothing was activated")
                expect(result, saysNot: "--skip-checks deploys without")
            }
        }
    }

    @Test func aThrowingSiblingDoesNoHarmAndUnknownAttributesAreWarnedOf() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab)
            let good = #"\#(Self.node) // { hostName = "x"; magicRolback = false; }"#
            try fixture.write(deploy: #"{ nodes.web1 = \#(good); nodes.bad = throw "sibling"; confirmTimout = 5; }"#)
            let result = try await lab.deploy([fixture.flake + "#web1"])
            expect(
                result, .done, says: "deploy: warn: deploy.confirmTimout is not an attribute",
                "did you mean confirmTimeout?", "did you mean hostname?", "did you mean magicRollback?")
            expect(result, saysNot: "sibling", "\u{1b}")
            #expect(try await node.generations() == [1])
            expect(try await lab.deploy([fixture.flake]), .failed, says: "sibling")
        }
    }

    @Test func aFailingBuildNamesTheProfileAndActivatesNothing() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab)
            let args = #"args = [ "-c" "echo the compiler says no >&2; exit 1" ];"#
            let bad = #"(derivation { inherit system; name = "bad"; builder = "/bin/sh"; \#(args) })"#
            try fixture.write([.init(name: "good"), .init(name: "broken", path: "activate.noop \(bad)")])
            let result = try await lab.deploy([fixture.flake])
            expect(
                result, .failed, says: "web1.broken could not be built", "the compiler says no", "nothing was activated"
            )
            expect(result, saysNot: "web1.good could", "activating", "\u{1b}")
            #expect(try await node.generations("/nix/var/nix/profiles/per-user/root/good") == [])
            try fixture.write([.init(path: #"base "plain""#)])
            let unwrapped = try await lab.deploy([fixture.flake])
            expect(unwrapped, .failed, says: "has no executable deploy-rs-activate", "activate.custom")
        }
    }
}
