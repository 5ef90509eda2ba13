import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    @Suite struct RevokeTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        private func revoke(_ request: ActivateRequest?) async throws -> RunningAgent.End {
            try await node.run(.revoke(RevokeRequest(profile: node.location, nonce: request?.session?.nonce)))
        }

        @Test func exactlyWhatWasCommittedIsTakenBack() async throws {
            let one = try await node.tracing("one")
            try await node.generations([one, try await node.tracing("bad")])
            try await node.nix(["nix-env", "-p", node.link, "--switch-generation", "1"])
            let request = try await node.deploy(try await node.tracing("three"))
            let end = try await revoke(request)
            #expect(end.exit == .code(0))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(end.verdict?.generation == Generation(number: 1, path: one))
            #expect(node.traced == ["three boot=0", "one boot=0"])
            #expect(node.numbers == [1, 2, 3])
            #expect(try await revoke(request).exit == .code(0))
            #expect(node.traced.count == 2, "revoking twice is harmless")
            #expect(try await node.confirm(request).exit == .code(4))
        }

        @Test func whatSomeoneElseMovedSinceIsLeftAlone() async throws {
            try await node.generations([try await node.tracing("one")])
            let request = try await node.deploy(try await node.tracing("two"))
            try await node.generations([try await node.tracing("three")])
            let end = try await revoke(request)
            #expect(end.exit == .code(1))
            #expect(end.verdict?.verdict == .failed)
            #expect(end.verdict?.reason?.contains("someone else has moved") == true)
            #expect(node.generation == 3)
            #expect(try node.journal()?.state == .committed)
        }

        @Test func anUnchangedProfileStaysAsItIs() async throws {
            let one = try await node.tracing("one")
            try await node.generations([one])
            let request = try await node.deploy(one)
            let end = try await revoke(request)
            #expect(end.exit == .code(0))
            #expect(end.verdict?.reason?.contains("nothing to take back") == true)
            #expect(node.generation == 1)
            #expect(node.traced == ["one boot=0"])
        }

        @Test func anUnknownNonceTakesNothingBack() async throws {
            try await node.deploy(try await node.tracing("one"))
            let end = try await revoke(node.request("/"))
            #expect(end.exit == .code(1))
            #expect(node.generation == 1)
        }

        @Test func withoutANonceTheLastCommittedOneIsTakenBack() async throws {
            try await node.deploy(try await node.tracing("one"))
            try await node.deploy(try await node.tracing("two"))
            _ = try await node.activate(node.request(try await node.tracing("three", "exit 1")))
            let end = try await revoke(nil)
            #expect(end.exit == .code(0))
            #expect(node.generation == 1)
            #expect(node.traced.last == "one boot=0")
        }

        @Test func withoutAJournalItGoesToTheNextLowerGenerationAndDeletesNothing() async throws {
            var closures: [String] = []
            for name in ["one", "two", "three"] { closures.append(try await node.tracing(name)) }
            try await node.generations(closures)
            let end = try await revoke(nil)
            #expect(end.exit == .code(0))
            #expect(node.generation == 2)
            #expect(node.numbers == [1, 2, 3])
            #expect(node.traced == ["two boot=0"])
        }

        @Test func withNothingToGoBackToItChangesNothing() async throws {
            try await node.generations([try await node.tracing("one")])
            let end = try await revoke(nil)
            #expect(end.exit == .code(1))
            #expect(end.errorOutput.contains("no earlier generation"))
            #expect(node.generation == 1)
        }
    }
}
