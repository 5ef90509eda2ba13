import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    /// Plain NixOS systems: closures with `bin/switch-to-configuration` and no script of ours.
    @Suite struct SystemTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        /// Notes what it was asked for and where the profile was then, then does more.
        private func system(_ name: String, _ more: String = "", files: [String: String] = [:]) async throws -> String {
            let note = "echo \(name) $1 on $(readlink \(node.link)) >> \(node.trace)"
            var files = files
            files[NixOSSystem.switchName] = "\(note)\n\(more)"
            return try await node.closure(name, nil, files: files)
        }

        @Test func itIsTestedFirstAndBecomesTheProfilesOnceConfirmed() async throws {
            try await node.generations([try await system("old")])
            let new = try await system("new", "echo $PROFILE $PWD >> \(node.trace)-places")
            let request = node.request(new)
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            #expect(node.generation == 1)
            #expect(node.traced == ["new test on system-1-link"])
            #expect(try await node.confirm(request).verdict?.verdict == .committed)
            let end = try await agent.end()
            #expect(end.exit == .code(0))
            #expect(end.verdict?.generation == Generation(number: 2, path: new))
            #expect(node.traced == ["new test on system-1-link", "new boot on system-2-link"])
            let places = trimmed(readTextFile("\(node.trace)-places") ?? "").split(separator: "\n")
            #expect(places.first == "\(new) \(new)")
            #expect(places.last?.hasPrefix("\(node.link) ") == true)
        }

        @Test func withoutMagicRollbackItIsSetAtOnce() async throws {
            try await node.generations([try await system("old")])
            var request = node.request(try await system("new"))
            request.magicRollback = false
            #expect(try await node.activate(request).exit == .code(0))
            #expect(node.traced == ["new test on system-1-link", "new boot on system-2-link"])
        }

        @Test func forTheNextBootNothingIsRunLive() async throws {
            try await node.generations([try await system("old")])
            var request = node.request(try await system("new"))
            request.boot = true
            #expect(try await node.activate(request).exit == .code(0))
            #expect(node.traced == ["new boot on system-2-link"])
        }

        @Test func aBootLoaderThatFailsIsPutBack() async throws {
            try await node.generations([try await system("old")])
            var request = node.request(try await system("new", "exit 1"))
            request.boot = true
            let end = try await node.activate(request)
            #expect(end.exit == .code(4))
            #expect(end.verdict?.reason == "switch-to-configuration boot ended with exit status 1")
            #expect(node.generation == 1)
            #expect(node.traced == ["new boot on system-2-link", "old boot on system-1-link"])
        }

        @Test func aDryRunOnlyAsks() async throws {
            try await node.generations([try await system("old")])
            var request = node.request(try await system("new"))
            request.dryActivate = true
            #expect(try await node.activate(request).exit == .code(0))
            #expect(node.traced == ["new dry-activate on system-1-link"])
        }

        @Test(arguments: [("exit 1", 60), ("", 0)])
        func whatDoesNotLastNeverMovedTheProfile(more: String, confirmTimeout: Int) async throws {
            try await node.generations([try await system("old")])
            let request = node.request(try await system("new", more), confirmTimeout: confirmTimeout)
            let end = try await node.activate(request)
            #expect(end.exit == .code(4))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(node.numbers == [1])
            #expect(node.traced == ["new test on system-1-link", "old test on system-1-link"])
        }

        @Test func withoutAutoRollbackTheProfileStaysToo() async throws {
            try await node.generations([try await system("old")])
            var request = node.request(try await system("new", "exit 1"))
            request.autoRollback = false
            let end = try await node.activate(request)
            #expect(end.exit == .code(3))
            #expect(end.verdict?.generation?.number == 1)
            #expect(end.verdict?.reason?.contains("the profile and the next boot are as before") == true)
            #expect(node.traced == ["new test on system-1-link"])
        }

        @Test func aBootLoaderThatFailsAfterTheConfirmationIsToldTheTruth() async throws {
            try await node.generations([try await system("old")])
            let request = node.request(try await system("new", "[ $1 != boot ]"))
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            #expect(try await node.confirm(request).verdict?.verdict == .rolledBack)
            #expect(try await agent.end().exit == .code(4))
            #expect(node.generation == 1)
            #expect(
                node.traced == [
                    "new test on system-1-link", "new boot on system-2-link", "old test on system-1-link",
                    "old boot on system-1-link",
                ])
            #expect(try await node.status().failedGenerations == [2])
        }

        @Test func whatWasConfirmedIsFinishedByASuccessor() async throws {
            try await node.generations([try await system("old")])
            let flag = "\(node.path)/flag"
            let more = "[ $1 = boot ] && [ ! -e \(flag) ] && touch \(flag) && echo preparing && sleep 100; true"
            let request = node.request(try await system("new", more))
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            let confirmation = try node.start(
                .confirm(ConfirmRequest(profile: node.location, nonce: request.session?.nonce ?? "")))
            try await agent.line("preparing")
            kill(try #require(try node.journal()?.guardian).id, SIGKILL)
            #expect(try await agent.end().verdict?.verdict == .committed)
            #expect(try await confirmation.end().verdict?.verdict == .committed)
            #expect(node.generation == 2)
            #expect(node.traced.last == "new boot on system-2-link")
        }

        @Test func asAnotherProfileItIsRefused() async throws {
            var request = node.request(try await system("new"))
            request.profile = .path("\(node.path)/state/profiles/other")
            let end = try await node.activate(request)
            #expect(end.exit == .code(1))
            #expect(end.verdict?.reason?.contains("the node boots another profile") == true)
            #expect(node.traced == [])
        }

        @Test func aWrappedOneAsAnotherProfileIsWarnedOf() async throws {
            let new = try await node.closure("new", ":", files: [NixOSSystem.switchName: "exit 1"])
            var request = node.request(new)
            request.profile = .path("\(node.path)/state/profiles/other")
            request.magicRollback = false
            let end = try await node.activate(request)
            #expect(end.exit == .code(0))
            #expect(end.warnings.contains { $0.contains("the next reboot undoes this deploy") })
        }

        @Test func thatOnlyARebootHelpsIsAResultOfItsOwn() async throws {
            try await node.generations([try await system("old")])
            let end = try await node.activate(node.request(try await system("new", "exit 100")))
            #expect(end.exit == .code(ExitCode.needsReboot.rawValue))
            #expect(end.verdict?.needsReboot == true)
            #expect(end.verdict?.reason?.contains("can only take over by a reboot") == true)
        }

        @Test func changedInhibitorsMeanAReboot() async throws {
            let files = { (kernel: String) in ["bin/switch-to-configuration": ":", "switch-inhibitors": kernel] }
            var systems: [NixOSSystem] = []
            for text in [#"{"kernel":"a"}"#, #"{"kernel":"b"}"#, #"{"other":"c"}"#, "none"] {
                let path = try await node.closure("system\(systems.count)", nil, files: files(text))
                // Without the line that makes it a script.
                try? FileManager.default.removeItem(atPath: "\(node.path)/plain\(systems.count)")
                let plain = "\(node.path)/plain\(systems.count)"
                try FileManager.default.createDirectory(atPath: "\(plain)/bin", withIntermediateDirectories: true)
                try text.write(toFile: "\(plain)/switch-inhibitors", atomically: true, encoding: .utf8)
                try FileManager.default.copyItem(
                    atPath: "\(path)/bin/switch-to-configuration", toPath: "\(plain)/bin/switch-to-configuration")
                systems.append(try #require(NixOSSystem(in: plain)))
            }
            #expect(systems[1].needsReboot(from: systems[0]))
            #expect(!systems[0].needsReboot(from: systems[0]))
            #expect(!systems[2].needsReboot(from: systems[0]))
            #expect(!systems[3].needsReboot(from: systems[0]))
        }

        // MARK: Some units failed

        /// Agents whose systemctl tells first one list, then the other, and whose journalctl tells one line.
        private func agent(before: String, after: String) throws -> [String: String] {
            let folder = "\(node.path)/tools"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let told = "\(node.path)/told"
            let texts = [
                "systemctl": "if [ -e \(told) ]; then printf '\(after)'; else touch \(told); printf '\(before)'; fi",
                "journalctl": "echo \"last words of ${1#--unit=}\"",
            ]
            for (name, text) in texts {
                try "#!/bin/sh\n\(text)\n".write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(folder)/\(name)")
            }
            var environment = node.environment
            environment["PATH"] = "\(folder):\(environment["PATH"] ?? "")"
            return environment
        }

        private func activate(_ request: ActivateRequest, _ environment: [String: String]) async throws
            -> RunningAgent.End
        {
            var command = node.command(.activate(request))
            command.environment = environment
            return try await RunningAgent(command).end()
        }

        @Test(arguments: [true, false])
        func failedUnitsAreTakenAsAskedFor(isWrapped: Bool) async throws {
            let old = "b.service loaded failed failed B\\n"
            let environment = try agent(before: old, after: "\(old)a.service loaded failed failed A\\n")
            try await node.generations([try await system("old")])
            let new =
                isWrapped
                ? try await node.closure("new", "exit 4", files: [NixOSSystem.switchName: ":"])
                : try await system("new", "[ $1 = boot ] || exit 4")
            var request = node.request(new)
            request.magicRollback = false
            let refused = try await activate(request, environment)
            #expect(refused.exit == .code(4))
            #expect(refused.verdict?.reason?.hasSuffix(": a.service, b.service (failed before, too)") == true)
            #expect(
                refused.events.contains(
                    .unitFailed(FailedUnit(name: "a.service", isNew: true, lines: ["last words of a.service"]))))
            try FileManager.default.removeItem(atPath: "\(node.path)/told")
            request.session?.nonce = ScratchNode.nonce()
            request.session?.onPartialFailure = .warn
            let kept = try await activate(request, environment)
            #expect(kept.exit == .code(0))
            #expect(kept.verdict?.verdict == .committed)
            #expect(kept.verdict?.reason?.contains("some units failed: a.service") == true)
        }

        @Test func anotherClosuresFourIsAnyFailure() async throws {
            try await node.generations([try await node.tracing("old")])
            var request = node.request(try await node.tracing("new", "exit 4"))
            request.session?.onPartialFailure = .warn
            #expect(try await node.activate(request).verdict?.verdict == .rolledBack)
        }
    }
}
