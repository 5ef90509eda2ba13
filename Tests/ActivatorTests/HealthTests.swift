import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    /// Health checks decide whether what was activated may be confirmed (R32, G6).
    @Suite struct HealthTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        private func request(
            _ check: String..., then script: String = "", timeout: Int = 30, confirmTimeout: Int = 60
        ) async throws -> ActivateRequest {
            try await node.generations([try await node.tracing("old")])
            let new = try await node.tracing("new", script)
            var request = node.request(new, confirmTimeout: confirmTimeout)
            request.session?.healthCheck = HealthCheck(check, timeout: timeout)
            return request
        }

        private var healthy: String { "echo check >> \(node.trace)" }

        @Test func whatIsHealthyCanBeConfirmed() async throws {
            let seen = "echo $PROFILE $PWD $BOOT $DRY_ACTIVATE $(id -u) > \(node.path)/seen"
            let request = try await request(healthy, "\(healthy) twice; \(seen); echo unseen")
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            #expect(node.traced == ["new boot=0", "check", "check twice"])
            let seenText = try #require(readTextFile("\(node.path)/seen"))
            #expect(trimmed(seenText) == "\(node.link) \(resolved(node.link)) 0 0 \(getuid())")
            #expect(try await node.confirm(request).verdict?.verdict == .committed)
            let end = try await agent.end()
            #expect(end.exit == .code(0))
            let begun = AgentEvent.checkingHealth(seconds: 30)
            let health = end.events.filter { if case .healthy = $0 { true } else { $0 == begun } }
            #expect(health == [begun, .healthy(tries: 1)])
            #expect(!end.lines.contains("unseen"))
            #expect(try node.journal()?.healthCheck == nil)
        }

        @Test func whatBecomesHealthyInTimeIsTriedAgain() async throws {
            let count = "\(node.path)/count"
            var request = try await request("echo . >> \(count); [ $(wc -l < \(count)) -ge 3 ]")
            request.magicRollback = false
            let end = try await node.activate(request)
            #expect(end.exit == .code(0))
            #expect(end.events.contains(.healthy(tries: 3)))
            #expect(node.generation == 2)
        }

        @Test(arguments: [true, false])
        func whatStaysUnhealthyIsAFailedActivation(magicRollback: Bool) async throws {
            let last = "echo activated"
            var request = try await request("true", "echo the database is gone >&2; exit 3", then: last, timeout: 1)
            request.magicRollback = magicRollback
            let end = try await node.activate(request)
            #expect(end.exit == .code(4))
            let command = #"health check "echo the database is gone >&2; exit 3" failed, "#
            #expect(end.verdict?.reason == command + "1 try in 1 s: exit status 3; the database is gone")
            #expect(end.lines == ["activated", "the database is gone"])
            #expect(!end.events.contains { if case .awaitingConfirmation = $0 { true } else { false } })
            #expect(node.generation == 1)
            #expect(node.traced == ["new boot=0", "old boot=0"])
            let record = try #require(try node.journal())
            #expect(record.lastLines == ["activated", "the database is gone"] && record.healthCheck == nil)
            #expect(try await node.confirm(request).verdict == end.verdict)
        }

        @Test func withoutAutoRollbackItIsLeft() async throws {
            var request = try await request("exit 1", timeout: 1)
            request.autoRollback = false
            let end = try await node.activate(request)
            #expect(end.exit == .code(3))
            #expect(node.generation == 2)
        }

        @Test func aTryThatHangsEndsWithItsWholeGroup() async throws {
            let stubborn = "\(node.path)/stubborn"
            let check = "(trap '' TERM; echo $$ > \(stubborn); while :; do sleep 1; done) & echo hanging; wait"
            let end = try await node.activate(try await request(check, timeout: 1))
            #expect(end.exit == .code(4))
            let suffix = "failed, 1 try in 1 s: it did not end and was stopped; hanging"
            #expect(end.verdict?.reason?.hasSuffix(suffix) == true, "\(end.verdict?.reason ?? "")")
            let id = try #require(Int32(trimmed(readTextFile(stubborn) ?? "")))
            #expect(kill(-id, 0) != 0 || ProcessIdentity(of: id) == nil)
        }

        /// The last try, which its time cuts short, has nothing to say.
        @Test func whatATrySaidThatEndedIsToldAfterOneThatDidNot() async throws {
            let check = "if mkdir \(node.path)/tried; then echo no database; exit 3; fi; echo asking; sleep 100"
            let end = try await node.activate(try await request(check, timeout: 5))
            #expect(end.exit == .code(4))
            let told = "2 tries in 5 s: exit status 3; the last time it did not end and was stopped; no database"
            #expect(end.verdict?.reason?.hasSuffix(told) == true, "\(end.verdict?.reason ?? "")")
        }

        /// Nor does what has been mended meanwhile explain anything.
        @Test func whatSucceedsByNowIsNotTold() async throws {
            let first = "mkdir \(node.path)/tried || exit 0; echo starting; exit 3"
            let end = try await node.activate(try await request(first, "echo asking; sleep 100", timeout: 5))
            let told = "2 tries in 5 s: it did not end and was stopped; asking"
            #expect(end.verdict?.reason?.hasSuffix(told) == true, "\(end.verdict?.reason ?? "")")
        }

        /// Its limit is none of the activation's.
        @Test func itsTimeIsItsOwn() async throws {
            var request = try await request("sleep 1.5", timeout: 20)
            request.session?.activationTimeout = 1
            request.magicRollback = false
            #expect(try await node.activate(request).exit == .code(0))
        }

        @Test(arguments: ["boot", "dry"])
        func nothingIsCheckedThatDoesNotRun(mode: String) async throws {
            var request = try await request("touch \(node.path)/checked; exit 1", timeout: 1)
            if mode == "boot" { request.boot = true } else { request.dryActivate = true }
            #expect(try await node.activate(request).exit == .code(0))
            #expect(!FileManager.default.fileExists(atPath: "\(node.path)/checked"))
        }

        @Test func aFailedActivationIsNotChecked() async throws {
            let end = try await node.activate(try await request(healthy, then: "exit 1"))
            #expect(end.exit == .code(4))
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        @Test func aGuardianKilledDuringTheCheckIsReplacedAndTheCheckEnded() async throws {
            let check = "echo $$ > \(node.path)/check; echo x > \(node.path)/pipe; sleep 100"
            try await node.nix(["mkfifo", "\(node.path)/pipe"])
            let request = try await request(check)
            let agent = try node.start(.activate(request))
            // Opens once the check has come so far.
            #expect(readTextFile("\(node.path)/pipe") == "x\n")
            #expect(try node.journal()?.state == .activating)
            kill(try node.guardian(), SIGKILL)
            let end = try await agent.end()
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(end.verdict?.reason == "interrupted during activation")
            #expect(end.warnings.contains { $0.contains("it is ended") })
            let id = try #require(Int32(trimmed(readTextFile("\(node.path)/check") ?? "")))
            #expect(ProcessIdentity(of: id)?.isRunning != true)
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        /// The profile is not on a plain system before that is confirmed.
        @Test(arguments: [true, false])
        func aPlainSystemIsCheckedBeforeItsProfileIsSet(isHealthy: Bool) async throws {
            let system = { (name: String) in
                try await node.closure(
                    name, nil, files: [NixOSSystem.switchName: "echo \(name) $1 >> \(node.trace)"])
            }
            try await node.generations([try await system("old")])
            let new = try await system("new")
            var request = node.request(new)
            request.magicRollback = false
            let check = "echo check on $(readlink \(node.link)) >> \(node.trace); [ $PROFILE = \(new) ] && \(isHealthy)"
            request.session?.healthCheck = HealthCheck([check], timeout: 1)
            let end = try await node.activate(request)
            #expect(end.exit == .code(isHealthy ? 0 : 4))
            let begin = ["new test", "check on system-1-link"]
            #expect(node.traced == begin + [isHealthy ? "new boot" : "old test"])
            #expect(node.generation == (isHealthy ? 2 : 1))
        }

        /// A journal of an earlier agent knows nothing of health checks.
        @Test func anOlderRecordIsRead() throws {
            let policy = #"{"autoRollback":true,"boot":false,"kind":"wrapped","magicRollback":true}"#
            #expect(try JSONLine.decode(Activation.Policy.self, from: policy).checksHealth == nil)
            #expect(try JSONLine.decode(Activation.Policy.self, from: policy).rebootsIfStuck == nil)
        }
    }
}
