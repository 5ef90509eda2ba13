import Foundation
import Glibc
import Shared
import Testing

@testable import Activator

extension AgentTests {
    /// What becomes of units once a generation is back (R29).
    @Suite struct UnitsAfterRollbackTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        private var calls: [String] {
            (readTextFile("\(node.path)/calls") ?? "").split(separator: "\n").map(String.init)
        }

        /// Whether the agent speaks to the machine's systemd, as root's, or to the user's.
        private var scope: String { geteuid() == 0 ? "" : "--user " }

        /// Runs an activation on a node whose `systemctl` knows three units: one that runs, one that can be started, one that cannot.
        private func activate(_ request: ActivateRequest) async throws -> RunningAgent.End {
            let folder = "\(node.path)/tools"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let systemctl = """
                #!/bin/sh
                echo "$*" >>\(node.path)/calls
                case "$*" in
                *"is-active -- runs") echo active ;;
                *"is-active -- broken") echo failed; exit 3 ;;
                *is-active*) echo inactive; exit 3 ;;
                *"start -- broken" | *"start -- old") exit 1 ;;
                *"start -- missing") exit 5 ;;
                *list-units*)
                    echo "old.service loaded failed failed Old"
                    if [ -e \(node.path)/ran ]; then echo "broken.service loaded failed failed Broken"; fi ;;
                esac
                """
            for (name, text) in ["systemctl": systemctl, "journalctl": "#!/bin/sh\necho words of $*"] {
                try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(folder)/\(name)")
            }
            var command = node.command(.activate(request))
            command.environment["PATH"] = "\(folder):\(command.environment["PATH"] ?? "")"
            return try await RunningAgent(command).end()
        }

        private func request(_ units: [String], then script: String) async throws -> ActivateRequest {
            try await node.generations([try await node.tracing("old", "[ ! -e \(node.path)/hopeless ]")])
            var request = node.request(try await node.tracing("new", "touch \(node.path)/ran; \(script)"))
            request.session?.criticalUnits = units
            return request
        }

        @Test func criticalUnitsThatDoNotRunAreStartedAndFailedOnesNamed() async throws {
            let end = try await activate(try await request(["runs", "stopped", "broken"], then: "exit 1"))
            #expect(end.exit == .code(4))
            let notes = [
                "the activation script ended with exit status 1",
                "stopped, which is critical, did not run and was started",
                "broken, which is critical, does not start (failed)",
                "these units are failed: broken.service, old.service (failed before, too)",
            ]
            #expect(end.verdict?.reason == notes.joined(separator: "; "))
            #expect(
                end.events.compactMap { if case .unitFailed(let unit) = $0 { unit.name } else { nil } }
                    == ["broken.service"])
            let starts = calls.filter { !$0.contains("is-active") && !$0.contains("list-units") }
            #expect(
                starts == ["reset-failed", "start"].flatMap { verb in ["\(scope)\(verb) -- stopped"] }
                    + ["reset-failed", "start"].map { "\(scope)\($0) -- broken" })
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        @Test func whatNoRebootWouldMendIsNoReasonForOne() async throws {
            var request = try await request(["missing", "old"], then: "exit 1")
            request.session?.rebootIfStuck = true
            let end = try await activate(request)
            #expect(end.exit == .code(4))
            let reason = end.verdict?.reason ?? ""
            #expect(reason.contains("missing, which is critical, does not start"))
            #expect(reason.contains("old, which is critical, does not start"))
            #expect(!reason.contains("reboot"), "\(reason)")
            #expect(!calls.contains { $0.contains("reboot") })
        }

        @Test func theyAreStartedWhereTheRollbackFailsToo() async throws {
            let end = try await activate(try await request(["stopped"], then: "touch \(node.path)/hopeless; exit 1"))
            #expect(end.exit == .code(5))
            #expect(end.verdict?.rollbackFailure?.contains("; stopped, which is critical, did not run and was") == true)
            #expect(calls.contains("\(scope)start -- stopped"))
        }

        @Test(arguments: ["committed", "boot", "none"])
        func otherwiseNothingIsStarted(kind: String) async throws {
            var request = try await request(
                kind == "none" ? [] : ["stopped"], then: kind == "committed" ? "" : "exit 1")
            request.boot = kind == "boot"
            request.magicRollback = kind != "committed"
            let end = try await activate(request)
            #expect(end.exit == .code(kind == "committed" ? 0 : 4))
            #expect(!calls.contains { $0.contains("start") }, "\(calls)")
        }
    }
}
