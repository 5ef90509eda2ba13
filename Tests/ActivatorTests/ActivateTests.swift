import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    @Suite struct ActivateTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        @Test func aConfirmedActivationIsCommitted() async throws {
            let old = try await node.tracing("old")
            try await node.generations([old])
            let new = try await node.closure(
                "new",
                "echo $PROFILE $DRY_ACTIVATE $BOOT; pwd; echo oops >&2; printf 'no line feed'; echo ${TMPDIR-none}")
            let request = node.request(new)
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            let status = try await node.status()
            #expect(status.activation?.state == .awaitingConfirmation)
            #expect(status.activation?.isGuarded == true)
            #expect(status.activation?.deployer == "alice@laptop")
            #expect((1...60).contains(status.activation?.secondsLeft ?? 0))
            let confirmed = try await node.confirm(request)
            #expect(confirmed.exit == .code(0))
            let report = VerdictReport(.committed, generation: Generation(number: 2, path: new))
            #expect(confirmed.events == [.verdict(report)])
            let end = try await agent.end()
            #expect(end.exit == .code(0))
            #expect(end.events.first == .started(previous: Generation(number: 1, path: old)))
            #expect(end.events[1] == .profileSet(generation: 2, isNew: true))
            #expect(end.events.suffix(3).first == .activationEnded(.code(0), timedOut: false))
            #expect(end.events.last == .verdict(report))
            #expect(end.lines.contains("\(node.link) 0 0"))
            #expect(end.lines.contains(new))
            #expect(end.lines.contains("no line feednone"))
            #expect(end.events.contains(.output(stream: .stderr, line: "oops")))
            #expect(node.generation == 2)
            #expect(try await node.status().activation?.isGuarded == false)
            let left = try FileManager.default.contentsOfDirectory(atPath: node.state).sorted()
            #expect(left == ["alive", "events", "guardian.log", "journal.json", "lock"])
        }

        @Test func theNextAgentComesInAsSoonAsTheVerdictIsKnown() async throws {
            let closures = [try await node.tracing("a"), try await node.tracing("b")]
            for round in 0..<6 { try await node.deploy(closures[round % 2]) }
            #expect(node.traced.count == 6)
        }

        @Test func withoutMagicRollbackItCommitsAtOnce() async throws {
            var request = node.request(try await node.tracing("new"))
            request.magicRollback = false
            let end = try await node.activate(request)
            #expect(end.exit == .code(0))
            #expect(end.verdict?.verdict == .committed)
        }

        @Test func bootCommitsAtOnceAndNeverAsksForAConfirmation() async throws {
            var request = node.request(try await node.tracing("new"))
            request.boot = true
            #expect(try await node.activate(request).verdict?.verdict == .committed)
            #expect(node.traced == ["new boot=1"])
        }

        @Test func aFailedBootGoesBackWithoutSwitchingLive() async throws {
            try await node.generations([try await node.tracing("old")])
            var request = node.request(try await node.tracing("new", "exit 1"))
            request.boot = true
            let end = try await node.activate(request)
            #expect(end.exit == .code(4))
            #expect(node.traced == ["new boot=1", "old boot=1"])
            #expect(node.generation == 1)
        }

        @Test func theTempPathIsMadeAndBecomesTMPDIR() async throws {
            var request = node.request(try await node.closure("new", "mktemp >/dev/null && echo tmp=$TMPDIR"))
            request.tempPath = "\(node.path)/tmp/deep"
            request.magicRollback = false
            #expect(access(request.tempPath, F_OK) != 0)
            #expect(try await node.activate(request).lines == ["tmp=\(node.path)/tmp/deep"])
        }

        @Test func aTempPathThatCannotBeUsedIsToldAndDoneWithout() async throws {
            var request = node.request(try await node.closure("new", "mktemp >/dev/null && echo tmp=$TMPDIR"))
            request.tempPath = "\(node.path)/file"
            request.magicRollback = false
            try "".write(toFile: request.tempPath, atomically: true, encoding: .utf8)
            let end = try await node.activate(request)
            #expect(end.verdict?.verdict == .committed && end.lines == ["tmp="])
            let warning = "the temp path \(request.tempPath) cannot be used (Not a directory): TMPDIR is not set to it"
            #expect(end.warnings.contains(warning), "\(end.warnings)")
        }

        @Test func aDescendantThatHoldsTheOutputIsNotWaitedFor() async throws {
            var request = node.request(try await node.closure("new", "sleep 100 & echo $!"))
            request.magicRollback = false
            let end = try await node.activate(request)
            #expect(end.verdict?.verdict == .committed)
            let id = try #require(Int32(end.lines.first ?? ""))
            kill(id, SIGKILL)
        }

        @Test func aScriptGetsItsSignals() async throws {
            let script = "while read -r key value; do case $key in SigBlk:|SigIgn:) echo $key $value; esac; done"
            var request = node.request(try await node.closure("new", "\(script) </proc/self/status"))
            request.magicRollback = false
            let lines = try await node.start(.activate(request)).end().lines
            // The C library's spawn ignores number 32, which is its own.
            let sets = try lines.map { try #require(UInt64($0.suffix(16), radix: 16)) & 0x7fff_ffff }
            #expect(sets == [0, 0])
        }

        @Test func standardInputIsNeverRead() async throws {
            var request = node.request(try await node.closure("new", "cat; echo done"))
            request.magicRollback = false
            var command = node.command(.activate(request))
            command.input = .bytes(Array("secret\n".utf8))
            #expect(try await RunningAgent(command).end().lines == ["done"])
        }

        @Test func aDryRunChangesNothing() async throws {
            try await node.generations([try await node.tracing("old")])
            let closure = try await node.closure("new", "echo $PROFILE $DRY_ACTIVATE; pwd; exit $CODE")
            var request = node.request(closure)
            request.dryActivate = true
            let before = try listing(node.path)
            for code: Int32 in [0, 1] {
                var command = node.command(.activate(request))
                command.environment["CODE"] = String(code)
                let end = try await RunningAgent(command).end()
                #expect(end.exit == .code(code))
                #expect(end.lines == ["\(closure) 1", closure])
                #expect(end.events.last == .activationEnded(.code(code), timedOut: false))
            }
            #expect(try listing(node.path) == before)
        }

        @Test func theFolderOfAUsersProfileIsMade() async throws {
            var request = node.request(try await node.tracing("new"))
            request.profile = .named(user: "app", name: "hello")
            request.magicRollback = false
            #expect(try await node.activate(request).verdict?.verdict == .committed)
            #expect(linkTarget("\(node.path)/home/.local/state/nix/profiles/hello") == "hello-1-link")
        }

        @Test func closuresAreHeldAgainstGarbageCollection() async throws {
            let old = try await node.tracing("old")
            try await node.generations([old])
            for location in [node.location, .path("\(node.path)/home/profile")] {
                let new = try await node.tracing("new")
                var request = node.request(new)
                request.profile = location
                let agent = try node.start(.activate(request))
                try await agent.awaiting()
                let link = try ProfileLink(location, environment: node.environment)
                let roots = try await node.nix(["nix-store", "--gc", "--print-roots"]).text.split(separator: "\n")
                let held = roots.filter { $0.contains("/.deploy-swift/\(link.name)/root") }
                #expect(held.contains { $0.hasSuffix("-> \(new)") })
                if location == node.location { #expect(held.contains { $0.hasSuffix("-> \(old)") }) }
                #expect(try await node.confirm(request).exit == .code(0))
                _ = try await agent.end()
                #expect(linkTarget("\(link.folder).deploy-swift/\(link.name)/root") == nil)
            }
        }

        @Test func withAFolderOfOurOwnAmongNixsRootsNoProcessOfNixIsNeededToHoldClosures() async throws {
            let own = "\(node.path)/state/gcroots/per-user/someone"
            try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
            let profile = "\(node.path)/home/profile"
            let old = try await node.tracing("old")
            try await node.nix(["nix-env", "-p", profile, "--set", old])
            var environment = node.environment
            environment["USER"] = "someone"
            for isConfirmed in [false, true] {
                let new = try await node.tracing("new-\(isConfirmed)")
                var request = node.request(new, confirmTimeout: isConfirmed ? 60 : 3)
                request.profile = .path(profile)
                let words = [ScratchNode.agent] + AgentCommand.activate(request).words()
                let agent = try RunningAgent(LocalCommand(words, environment: environment))
                try await agent.awaiting()
                // Nothing but ours holds the one before, as after `nix-collect-garbage -d`.
                if !isConfirmed { try FileManager.default.removeItem(atPath: "\(profile)-1-link") }
                try await node.nix(["nix-store", "--gc"])
                #expect(access(old, F_OK) == 0 && access(new, F_OK) == 0)
                if isConfirmed { _ = try await node.confirm(request) }
                #expect(try await agent.end().verdict?.verdict == (isConfirmed ? .committed : .rolledBack))
            }
            let auto = "\(node.path)/state/gcroots/auto"
            #expect(!folderEntries(auto).contains { linkTarget("\(auto)/\($0)")?.contains("/.deploy-swift/") == true })
            // What is told stays, and holds nothing by itself.
            #expect(folderEntries(own).compactMap { linkTarget("\(own)/\($0)") }.count == Roots.names.count)
            #expect(folderEntries(own).allSatisfy { access("\(own)/\($0)", F_OK) != 0 })
        }

        @Test(arguments: [(user: "other", mode: 0o755), ("someone", 0o777), ("../per-user/someone", 0o755)])
        func aFolderOfRootsThatMayNotBeOursIsNotUsed(user: String, mode: Int) throws {
            let own = "\(node.path)/state/gcroots/per-user/someone"
            try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: own)
            var environment = node.environment
            environment["USER"] = user
            #expect(OwnRoots(environment) == nil)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: own)
            let link = "\(node.path)/state/gcroots/per-user/linked"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: own)
            environment["USER"] = "linked"
            #expect(OwnRoots(environment) == nil, "a link to one")
            environment["USER"] = "someone"
            let roots = try #require(OwnRoots(environment))
            #expect(roots.register("/a") && roots.register("/a") && roots.register("/b"))
            #expect(Set(OwnRoots.registered(environment)) == ["/a", "/b"])
        }
    }
}

/// Every path below, with its size and time of change.
func listing(_ path: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: path).sorted().map { name in
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
        return "\(name) \(attributes[.size] ?? 0) \(attributes[.modificationDate] ?? "")"
    }
}
