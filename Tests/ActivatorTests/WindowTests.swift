import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    /// What a garbage collection finds while an activation has no verdict yet.
    @Suite struct WindowTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

        @Test func anOldGenerationThatWasDeletedIsStillThereToGoBackTo() async throws {
            let old = try await node.tracing("old")
            try await node.generations([old])
            let request = node.request(try await node.tracing("new"), confirmTimeout: 3)
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            try FileManager.default.removeItem(atPath: "\(node.link)-1-link")
            let loose = try await node.tracing("loose")
            try await node.nix(["nix-collect-garbage"])
            #expect(!exists(loose) && exists(old))
            let end = try await agent.end()
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(end.verdict?.generation?.path == old)
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        @Test func aSystemThatNoProfileHasYetIsHeldUntilItsVerdict() async throws {
            let files = [NixOSSystem.switchName: "true"]
            try await node.generations([try await node.closure("old", nil, files: files)])
            for isConfirmed in [true, false] {
                let new = try await node.closure("new-\(isConfirmed)", nil, files: files)
                let request = node.request(new, confirmTimeout: isConfirmed ? 60 : 3)
                let agent = try node.start(.activate(request))
                try await agent.awaiting()
                try await node.nix(["nix-collect-garbage"])
                #expect(exists(new))
                if isConfirmed { _ = try await node.confirm(request) }
                #expect(try await agent.end().verdict?.verdict == (isConfirmed ? .committed : .rolledBack))
                // Nothing of ours holds it for longer.
                try await node.nix(["nix-collect-garbage"])
                #expect(exists(new) == isConfirmed)
            }
        }
    }
}
