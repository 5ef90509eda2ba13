import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    /// Driven as deploy-rs's own deployer drives its agent.
    @Suite struct LegacyTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        private func request(_ closure: String, confirmTimeout: Int = 60) -> ActivateRequest {
            var request = node.request(closure, confirmTimeout: confirmTimeout, nonce: nil)
            request.tempPath = "\(node.path)/tmp"
            return request
        }

        private func canary(_ closure: String) -> String { "\(node.path)/tmp/\(LegacyCanary.name(closure))" }

        private func wait(_ closure: String, seconds: Int? = nil) -> AgentCommand {
            .wait(WaitRequest(closure: closure, tempPath: "\(node.path)/tmp", activationTimeout: seconds))
        }

        @Test func theCanaryIsNamedAsInDeployRs() {
            #expect(LegacyCanary.name("/nix/store/abc123-hello-1.0") == "deploy-rs-canary-abc123")
            #expect(LegacyCanary.name("/nix/store/blah/etc") == "deploy-rs-canary-blah/etc")
        }

        @Test func removingTheCanaryConfirms() async throws {
            let closure = try await node.tracing("new", "echo out; echo err >&2")
            let waiting = try node.start(wait(closure))
            let agent = try node.start(.activate(request(closure)))
            #expect(try await waiting.end().exit == .code(0))
            try FileManager.default.removeItem(atPath: canary(closure))
            let end = try await agent.end()
            #expect(end.exit == .code(0))
            #expect(end.output == "out\n")
            #expect(end.errorOutput.contains("err\n"))
            #expect(end.errorOutput.contains("⭐ ℹ️ [activate] [INFO] Activation succeeded!"))
            #expect(try node.journal()?.state == .committed)
            #expect(try node.journal()?.nonce == nil)
        }

        @Test func aCanaryThatStaysRollsBack() async throws {
            try await node.generations([try await node.tracing("old")])
            let closure = try await node.tracing("new")
            let end = try await node.activate(request(closure, confirmTimeout: 1))
            #expect(end.exit == .code(1))
            #expect(end.errorOutput.contains("Rolled back: it was not confirmed within 1 s"))
            #expect(node.generation == 1)
            #expect(!FileManager.default.fileExists(atPath: canary(closure)))
        }

        @Test func aStaleCanaryNeitherSatisfiesWaitNorConfirms() async throws {
            let closure = try await node.tracing("new")
            try "".write(toFile: canary(closure), atomically: false, encoding: .utf8)
            #expect(try await node.run(wait(closure, seconds: 1)).exit == .code(1))
            let waiting = try node.start(wait(closure))
            let agent = try node.start(.activate(request(closure)))
            #expect(try await waiting.end().exit == .code(0))
            // The canary is there a moment before the journal says so.
            let state = try #require(try await node.status().activation?.state)
            #expect([.activating, .awaitingConfirmation].contains(state))
            try FileManager.default.removeItem(atPath: canary(closure))
            #expect(try await agent.end().exit == .code(0))
        }

        @Test func aCanaryFolderThatIsMovedAwayConfirmsNothing() async throws {
            try await node.generations([try await node.tracing("old")])
            let closure = try await node.tracing("new")
            let waiting = try node.start(wait(closure))
            let agent = try node.start(.activate(request(closure, confirmTimeout: 2)))
            #expect(try await waiting.end().exit == .code(0))
            // Moved in one step: to remove the folder, the canary would have to be removed before, and that confirms.
            try FileManager.default.moveItem(atPath: "\(node.path)/tmp", toPath: "\(node.path)/elsewhere")
            #expect(try await agent.end().exit == .code(1))
            #expect(node.generation == 1)
        }

        @Test func aFailureEndsWithOne() async throws {
            try await node.generations([try await node.tracing("old")])
            let end = try await node.activate(request(try await node.tracing("new", "exit 3")))
            #expect(end.exit == .code(1))
            #expect(end.errorOutput.contains("the activation script ended with exit status 3"))
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        @Test func theLogGoesIntoAFileToo() async throws {
            var legacy = request(try await node.tracing("new"))
            legacy.magicRollback = false
            var command = node.command(.activate(legacy))
            command.words.insert(contentsOf: ["--log-dir", "\(node.path)/log"], at: 1)
            #expect(try await RunningAgent(command).end().exit == .code(0))
            let files = try FileManager.default.contentsOfDirectory(atPath: "\(node.path)/log")
            let name = try #require(files.first { $0.hasPrefix("activate_activate_") })
            #expect(readTextFile("\(node.path)/log/\(name)")?.contains("Activating profile") == true)
        }

        @Test func aDryRunRelaysTheScriptsOutput() async throws {
            var legacy = request(try await node.closure("new", "echo would do $DRY_ACTIVATE"))
            legacy.dryActivate = true
            let end = try await node.activate(legacy)
            #expect(end.exit == .code(0))
            #expect(end.output == "would do 1\n")
            #expect(end.errorOutput == "")
        }
    }
}
