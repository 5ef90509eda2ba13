import Foundation
import Shared
import Testing

@testable import Deployer

struct NixTrustTests {
    private let user = "app"

    private func copier(checks: Bool = false) throws -> Copier {
        let console = try Console(showsDebug: false, usesColor: false, logDirectory: nil)
        return Copier(console: console, checksSignatures: checks)
    }

    private func trust(_ lines: String) throws -> NixTrust {
        let query = NodeFactsQuery(agents: [], groups: [], marker: "m")
        return try query.parse(lines + "m end\n").trust
    }

    private static let names = "m trust names app @app @wheel\n"

    @Test(
        arguments: [
            ("m trust owner\n", true), (names, nil), (names + "m trust trusted-users root\n", false),
            (names + "m trust trusted-users root app\n", true), (names + "m trust trusted-users @wheel\n", true),
            (names + "m trust trusted-users *\n", true), (names + "m trust trusted-users\n", false),
        ] as [(String, Bool?)])
    func trustIsReadOffTheSettings(lines: String, expected: Bool?) throws {
        #expect(try trust(lines).isTrusted == expected)
    }

    @Test func theExactSettingIsNamed() throws {
        let untrusted = try trust(Self.names + "m trust trusted-users root\n")
        let warning = try #require(untrusted.warning(user, signing: nil, copier()))
        #expect(warning.text.hasPrefix("user \"app\" is not among its Nix's trusted-users: what is copied, unless"))
        #expect(warning.hint.contains("LOCAL_KEY=") && warning.hint.contains("trusted-users = root app"))
        let trusted = try trust(Self.names + "m trust trusted-users app\n")
        #expect(try trusted.warning(user, signing: nil, copier()) == nil)
        #expect(try trust(Self.names).warning(user, signing: nil, copier()) == nil)
        let checked = try #require(trusted.warning(user, signing: nil, copier(checks: true)))
        #expect(checked.text.hasPrefix("--checksigs") && !checked.hint.contains("trusted-users = "))
    }

    @Test(.enabled(if: ScratchNix.isInstalled, "nix is not installed"))
    func aKeyThatTheNodeDoesNotKnowIsNamed() async throws {
        try await withScratchFolder { folder in
            let (secret, open) = ("\(folder)/secret", "\(folder)/public")
            let made = try await LocalCommand(
                ["nix-store", "--generate-binary-cache-key", "me-1", secret, open]
            ).run()
            try #require(made.exit.isSuccess)
            let key = trimmed(try String(contentsOfFile: open, encoding: .utf8))
            #expect(NixTrust.publicKey(of: secret) == key)
            let untrusted = Self.names + "m trust trusted-users root\nm trust trusted-public-keys other:x"
            let warning = try trust(untrusted + "\n").warning(user, signing: secret, copier())
            #expect(warning?.hint == "in the node's nix.conf: extra-trusted-public-keys = \(key)")
            #expect(try trust("\(untrusted) \(key)\n").warning(user, signing: secret, copier()) == nil)
        }
        #expect(NixTrust.publicKey(of: "/no/such/file") == nil)
    }

    @Test(.enabled(if: ScratchNix.isInstalled, "nix is not installed"))
    func thisMachineAnswers() async throws {
        let query = NodeFactsQuery(agents: [], groups: [], marker: "m")
        let facts = try query.parse(try await LocalCommand(query.words).run().text)
        #expect(facts.trust.isOwner || facts.trust.trustedUsers != nil)
    }
}
