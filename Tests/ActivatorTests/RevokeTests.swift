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

        @Test func whatStillWaitsForItsConfirmationIsRolledBackAtOnce() async throws {
            try await node.generations([try await node.tracing("old")])
            let request = node.request(try await node.tracing("new"), confirmTimeout: 600)
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            let end = try await revoke(request)
            #expect(end.exit == .code(0))
            #expect(end.warnings.contains { $0.contains("still under way") })
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(end.verdict?.reason == "it was revoked")
            #expect(try await agent.end().verdict == end.verdict)
            #expect(node.traced == ["new boot=0", "old boot=0"])
            #expect(try await node.confirm(request).exit == .code(4))
        }

        @Test func whatStillRunsEndsFirstAndIsThenRolledBack() async throws {
            try await node.generations([try await node.tracing("old")])
            let pipe = "\(node.path)/go"
            #expect(mkfifo(pipe, 0o600) == 0)
            let script = "echo waiting; read x < \(pipe); echo whole >> \(node.trace)"
            let request = node.request(try await node.tracing("new", script), confirmTimeout: 600)
            let agent = try node.start(.activate(request))
            try await agent.line("waiting")
            let command = AgentCommand.revoke(RevokeRequest(profile: node.location, nonce: request.session?.nonce))
            let revocation = try node.start(command)
            try await revocation.event { if case .warning = $0 { true } else { false } }
            try "go\n".write(toFile: pipe, atomically: false, encoding: .utf8)
            #expect(try await revocation.end().verdict?.verdict == .rolledBack)
            #expect(try await agent.end().verdict?.verdict == .rolledBack)
            #expect(node.traced == ["new boot=0", "whole", "old boot=0"])
        }

        @Test func whyItIsRevokedIsWrittenDown() async throws {
            try await node.generations([try await node.tracing("old")])
            let request = node.request(try await node.tracing("new"), confirmTimeout: 600)
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            var revocation = RevokeRequest(profile: node.location, nonce: request.session?.nonce)
            revocation.reason = "the probe failed"
            let end = try await node.run(.revoke(revocation))
            #expect(end.exit == .code(0))
            #expect(end.verdict?.reason == "it was revoked: the probe failed")
            #expect(try await agent.end().verdict == end.verdict)
            let files = try FileManager.default.contentsOfDirectory(atPath: node.state)
            #expect(!files.contains { $0.hasPrefix("revo") }, "\(files)")
        }

        /// As deploy-rs's own deployer would, of what deploy-rs's own deployer has begun.
        @Test func withoutNoncesToo() async throws {
            try await node.generations([try await node.tracing("old")])
            var request = node.request(try await node.tracing("new"), confirmTimeout: 600, nonce: nil)
            request.tempPath = "\(node.path)/tmp"
            let agent = try node.start(.activate(request))
            let folder = "\(node.path)/tmp"
            let canary = "\(folder)/\(LegacyCanary.name(request.closure))"
            for await _ in ChangeWatch(folders: [folder]).wakes where access(canary, F_OK) == 0 { break }
            let end = try await revoke(nil)
            #expect(end.exit == .code(0))
            #expect(try await agent.end().exit == .code(1))
            #expect(access(canary, F_OK) != 0)
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        @Test func anothersActivationIsNotCutShort() async throws {
            let request = try await node.deploy(try await node.tracing("one"))
            let agent = try node.start(.activate(node.request(try await node.tracing("two"), confirmTimeout: 600)))
            try await agent.awaiting()
            for revoked in [request, nil] { #expect(try await revoke(revoked).exit != .code(0)) }
            #expect(try node.journal()?.state == .awaitingConfirmation)
            agent.process.signal(SIGKILL)
            kill(try #require(try node.journal()?.guardian).id, SIGKILL)
        }

        /// The guardian's complaints have no place to go, as on a disk that fails just there.
        @Test func oneWhoseGuardianCannotStartIsUnknownUntilItIsFinished() async throws {
            try await node.deploy(try await node.tracing("one"))
            let request = try await node.deploy(try await node.tracing("two"))
            let log = "\(node.state)/\(GuardianProcess.logName)"
            try FileManager.default.removeItem(atPath: log)
            try FileManager.default.createDirectory(atPath: log, withIntermediateDirectories: false)
            // Also when it is asked again, which finishes first what was begun.
            for _ in 1...2 {
                let end = try await revoke(request)
                #expect(end.exit == .code(ExitCode.unknown.rawValue))
                #expect(end.verdict == nil)
                #expect(end.warnings.last?.contains(log) == true, "\(end.warnings)")
                #expect(try node.journal()?.state == .rollingBack)
                #expect(node.generation == 2)
            }
            try FileManager.default.removeItem(atPath: log)
            let end = try await revoke(request)
            #expect(end.exit == .code(0))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(node.generation == 1)
            #expect(node.traced == ["one boot=0", "two boot=0", "one boot=0"])
        }

        @Test func whatCannotBeWrittenDownStaysCommittedAndLeavesNothingBehind() async throws {
            try await node.deploy(try await node.tracing("one"))
            let request = try await node.deploy(try await node.tracing("two"))
            // Where the new record would be made.
            let obstacle = "\(node.state)/\(Journal.fileName).new"
            try FileManager.default.createDirectory(atPath: obstacle, withIntermediateDirectories: false)
            let end = try await revoke(request)
            #expect(end.exit == .code(1))
            #expect(end.verdict?.verdict == .failed)
            #expect(end.verdict?.generation?.number == 2)
            #expect(try node.journal()?.state == .committed)
            #expect(node.traced == ["one boot=0", "two boot=0"])
            let files = try FileManager.default.contentsOfDirectory(atPath: node.state)
            #expect(!files.contains { $0.hasPrefix("spare") }, "\(files)")
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
