import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    @Suite struct RollbackTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        @Test func whatIsNotConfirmedGoesBackAtTheDeadline() async throws {
            let old = try await node.tracing("old")
            try await node.generations([old])
            let request = node.request(try await node.tracing("new"), confirmTimeout: 1)
            let end = try await node.activate(request)
            #expect(end.exit == .code(4))
            let previous = Generation(number: 1, path: old)
            let reason = "it was not confirmed within 1 s"
            #expect(end.verdict == VerdictReport(.rolledBack, generation: previous, reason: reason))
            #expect(end.events.contains(.rollingBack(reason: reason)))
            #expect(node.traced == ["new boot=0", "old boot=0"])
            #expect(node.numbers == [1, 2], "nothing is deleted")
            let late = try await node.confirm(request)
            #expect(late.exit == .code(4))
            #expect(late.verdict == end.verdict)
        }

        @Test func aFailingScriptGoesBack() async throws {
            try await node.generations([try await node.tracing("old")])
            let end = try await node.activate(node.request(try await node.tracing("new", "echo last words; exit 7")))
            #expect(end.exit == .code(4))
            #expect(end.events.contains(.activationEnded(.code(7), timedOut: false)))
            #expect(end.verdict?.reason == "the activation script ended with exit status 7")
            #expect(node.traced == ["new boot=0", "old boot=0"])
            #expect(try node.journal()?.lastLines == ["last words"])
        }

        @Test func withoutAutoRollbackAFailureIsLeft() async throws {
            try await node.generations([try await node.tracing("old")])
            var request = node.request(try await node.tracing("new", "exit 1"))
            request.autoRollback = false
            let end = try await node.activate(request)
            #expect(end.exit == .code(3))
            #expect(end.verdict?.verdict == .left)
            #expect(end.verdict?.generation?.number == 2)
            #expect(node.traced == ["new boot=0"])
        }

        @Test func magicRollbackActsWithoutAutoRollbackToo() async throws {
            try await node.generations([try await node.tracing("old")])
            var request = node.request(try await node.tracing("new"), confirmTimeout: 1)
            request.autoRollback = false
            #expect(try await node.activate(request).verdict?.verdict == .rolledBack)
            #expect(node.generation == 1)
        }

        @Test func aHangingActivationEndsWithItsWholeGroup() async throws {
            try await node.generations([try await node.tracing("old")])
            let script = "(trap '' TERM; echo $$ > \(node.path)/stubborn; while :; do sleep 1; done) & wait"
            var request = node.request(try await node.tracing("new", script))
            request.session?.activationTimeout = 1
            let end = try await node.activate(request)
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(end.verdict?.reason == "the activation script did not end within 1 s and was ended")
            #expect(end.events.contains { if case .activationEnded(_, timedOut: true) = $0 { true } else { false } })
            let id = try #require(Int32(trimmed(readTextFile("\(node.path)/stubborn") ?? "")))
            #expect(kill(-id, 0) != 0 || ProcessIdentity(of: id) == nil)
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        /// The old generation hangs when it is activated again.
        @Test func aHangingRollbackEndsInTime() async throws {
            let old = try await node.tracing("old", "[ ! -e \(node.path)/broken ] || sleep 1000")
            try await node.generations([old])
            var request = node.request(try await node.tracing("new", "touch \(node.path)/broken; exit 1"))
            request.session?.activationTimeout = 1
            let end = try await node.activate(request)
            #expect(end.verdict?.verdict == .stuck)
            #expect(end.verdict?.rollbackFailure?.contains("it did not end within 1 s and was ended") == true)
            #expect(node.generation == 1)
        }

        @Test func aRollbackHasALimitWhereTheActivationHasNone() async throws {
            let request = node.request(try await node.tracing("new"))
            let link = try ProfileLink(path: node.link)
            var record = try Record(request, link)
            let generations = Generations(link: link, nix: Nix(node.environment))
            #expect(Rollback(record: record, generations: generations, events: EventLog()).limit == .seconds(240))
            record.activationTimeout = 7
            #expect(Rollback(record: record, generations: generations, events: EventLog()).limit == .seconds(7))
        }

        @Test func aFirstDeployTakesItsLinkAway() async throws {
            let closure = try await node.closure(
                "new", "exit 1", files: ["deactivate": "echo deactivate $PROFILE >> \(node.trace)"])
            let end = try await node.activate(node.request(closure))
            #expect(end.exit == .code(4))
            #expect(end.events.first == .started(previous: nil))
            #expect(end.verdict?.generation == nil)
            #expect(node.generation == nil)
            #expect(linkTarget(node.link) == nil)
            #expect(node.numbers == [1])
            #expect(node.traced == ["deactivate \(node.link)"])
        }

        @Test func anUnchangedClosureKeepsItsGeneration() async throws {
            let closure = try await node.tracing("same")
            try await node.generations([try await node.tracing("older"), closure])
            let end = try await node.activate(node.request(closure, confirmTimeout: 1))
            #expect(end.events.contains(.profileSet(generation: 2, isNew: false)))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(node.generation == 2)
            #expect(node.numbers == [1, 2])
            #expect(node.traced == ["same boot=0", "same boot=0"])
        }

        @Test func itGoesBackToWhereTheProfileWasNotOneLower() async throws {
            var closures: [String] = []
            for name in ["one", "two", "three"] { closures.append(try await node.tracing(name)) }
            try await node.generations(closures)
            try await node.nix(["nix-env", "-p", node.link, "--switch-generation", "2"])
            let end = try await node.activate(node.request(try await node.tracing("four", "exit 1")))
            #expect(end.verdict?.generation == Generation(number: 2, path: closures[1]))
            #expect(node.generation == 2)
            #expect(node.numbers == [1, 2, 3, 4])
            #expect(node.traced == ["four boot=0", "two boot=0"])
        }

        @Test func aGenerationThatWasDeletedMeanwhileComesBackByItsPath() async throws {
            let old = try await node.tracing("old")
            try await node.generations([old])
            let delete = "nix-env -p \(node.link) --delete-generations 1; exit 1"
            let end = try await node.activate(node.request(try await node.tracing("new", delete)))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(end.verdict?.generation?.path == old)
        }

        /// As a nix-env leaves it whose folder was read-only when it was done: every later one spins.
        @Test func aLockFileThatNixMeantToUnlinkIsUnlinked() async throws {
            try await node.generations([try await node.tracing("old")])
            let leave = "printf d > \(node.link).lock"
            try await node.nix(["sh", "-c", leave])
            let end = try await node.activate(node.request(try await node.tracing("new", "\(leave); exit 1")))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(node.generation == 1)
            #expect(!FileManager.default.fileExists(atPath: "\(node.link).lock"))
        }

        @Test func whatSomeoneElseMovedIsLeftAlone() async throws {
            try await node.generations([try await node.tracing("old")])
            let other = try await node.tracing("other")
            let script = "nix-env -p \(node.link) --set \(other); exit 1"
            let end = try await node.activate(node.request(try await node.tracing("new", script)))
            #expect(end.exit == .code(5))
            #expect(end.verdict?.verdict == .stuck)
            #expect(end.verdict?.reason == "the activation script ended with exit status 1")
            #expect(end.verdict?.rollbackFailure?.contains("someone else has moved") == true)
            #expect(end.verdict?.generation?.path == other)
            #expect(node.traced == ["new boot=0"])
        }

        /// The switch itself went well: it stays, and the commit says where the profile is.
        @Test func whatSomeoneElseMovedIsToldWithTheCommit() async throws {
            try await node.generations([try await node.tracing("old")])
            let other = try await node.tracing("other")
            var request = node.request(try await node.tracing("new", "nix-env -p \(node.link) --set \(other)"))
            request.magicRollback = false
            let end = try await node.activate(request)
            #expect(end.verdict?.verdict == .committed)
            #expect(end.verdict?.generation?.path == other)
            let reason = "someone else has moved the profile meanwhile, to generation 3 (\(other))"
            #expect(end.verdict?.reason == reason)
        }

        @Test func aRollbackThatFailsStandsBesideItsCause() async throws {
            let old = try await node.closure("old", "exit 9")
            try await node.generations([old])
            let end = try await node.activate(node.request(try await node.tracing("new", "exit 1")))
            #expect(end.exit == .code(5))
            #expect(end.verdict?.reason == "the activation script ended with exit status 1")
            #expect(end.verdict?.rollbackFailure?.contains("exit status 9") == true)
            #expect(end.verdict?.generation?.number == 1)
        }

        @Test(arguments: [
            (["bin/switch-to-configuration": "echo switch $1 >> TRACE"], false, "switch switch"),
            (["bin/switch-to-configuration": "echo switch $1 >> TRACE"], true, "switch boot"),
            (["activate": "echo home >> TRACE"], false, "home"),
            (["activate": "echo home >> TRACE"], true, nil),
        ])
        func aForeignGenerationIsActivatedInItsOwnWay(
            files: [String: String], boot: Bool, expected: String?
        ) async throws {
            let files = files.mapValues { $0.replacingOccurrences(of: "TRACE", with: node.trace) }
            try await node.generations([try await node.closure("foreign", nil, files: files)])
            var request = node.request(try await node.closure("new", "exit 1"))
            request.boot = boot
            #expect(try await node.activate(request).verdict?.verdict == .rolledBack)
            #expect(node.traced == [expected].compactMap { $0 })
        }

        /// A script may have left it to the boot loader, which takes the newest generation: the one that failed.
        @Test(arguments: [("", true), ("[ $1 != boot ]", false)])
        func aWrappedSystemIsWhatBootsAgain(last: String, works: Bool) async throws {
            let program = "echo system $1 >> \(node.trace)\n\(last)"
            let old = try await node.closure(
                "old", #""$PROFILE"/bin/switch-to-configuration switch"#,
                files: ["bin/switch-to-configuration": program])
            try await node.generations([old])
            let end = try await node.activate(node.request(try await node.closure("new", "exit 1")))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(node.traced == ["system switch", "system boot"])
            #expect(end.verdict?.reason?.contains("may take another") == !works)
        }

        /// Such as a virtual machine's system, which a profile of the host's wraps.
        @Test func aSystemThatIsNotTheMachinesOwnIsNotMadeWhatBoots() async throws {
            let link = "\(node.path)/state/profiles/vm"
            let old = try await node.closure(
                "old", "echo restart >> \(node.trace)",
                files: ["bin/switch-to-configuration": "echo system $1 >> \(node.trace)"])
            try await node.nix(["nix-env", "-p", link, "--set", old])
            var request = node.request(try await node.closure("new", "exit 1"))
            request.profile = .path(link)
            let end = try await node.activate(request)
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(node.traced == ["restart"])
        }

        @Test func anUnknownGenerationIsLinkedAndThatIsSaid() async throws {
            try await node.generations([try await node.closure("unknown", nil)])
            let end = try await node.activate(node.request(try await node.closure("new", "exit 1")))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(end.verdict?.reason?.contains("nothing could be activated again") == true)
            #expect(node.generation == 1)
        }

        @Test func aLinkWithoutANumberComesBackAsItWas() async throws {
            let old = try await node.tracing("old")
            try FileManager.default.createSymbolicLink(atPath: node.link, withDestinationPath: old)
            let end = try await node.activate(node.request(try await node.tracing("new", "exit 1")))
            #expect(end.verdict?.generation == Generation(number: nil, path: old))
            #expect(linkTarget(node.link) == old)
        }

        @Test func anActivationThatEndsItsOwnGroupIsAFailure() async throws {
            try await node.generations([try await node.tracing("old")])
            let end = try await node.activate(node.request(try await node.tracing("new", "kill -KILL 0")))
            #expect(end.events.contains(.activationEnded(.signal(9), timedOut: false)))
            #expect(end.verdict?.verdict == .rolledBack)
        }
    }
}
