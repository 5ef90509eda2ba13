import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    @Suite struct RefusalTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        private func expectNothingChanged(_ request: ActivateRequest, _ reason: String) async throws {
            let before = linkTarget(node.link)
            let end = try await node.activate(request)
            #expect(end.exit == .code(1))
            #expect(end.verdict?.verdict == .failed)
            #expect(end.verdict?.reason?.contains(reason) == true, "\(end.verdict?.reason ?? "none")")
            #expect(linkTarget(node.link) == before)
            #expect(node.traced == [])
        }

        @Test func aSecondDeployIsToldWhoHoldsTheProfile() async throws {
            let new = try await node.tracing("new")
            let request = node.request(new)
            let first = try node.start(.activate(request))
            try await first.awaiting()
            let end = try await node.activate(node.request(try await node.tracing("other")))
            #expect(end.exit == .code(8))
            guard case .locked(let holder)? = end.events.first else {
                Issue.record("\(end.events)")
                return
            }
            #expect(holder.deployer == "alice@laptop")
            #expect(holder.closure == new)
            #expect(abs(holder.since - time(nil)) < 120)
            #expect(end.events.count == 1)
            #expect(try await node.confirm(request).verdict?.verdict == .committed)
            #expect(try await first.end().verdict?.verdict == .committed)
            #expect(node.traced == ["new boot=0"])
        }

        @Test func aMissingClosureIsNamed() async throws {
            let closure = "\(node.path)/store/none"
            try await expectNothingChanged(node.request(closure), closure)
        }

        @Test func aClosureWithoutAScriptIsNotActivated() async throws {
            try await expectNothingChanged(
                node.request(try await node.closure("plain", nil, files: ["x": ""])), "no executable deploy-rs-activate"
            )
        }

        @Test func aLinkThatIsAFolderIsNoProfile() async throws {
            try FileManager.default.createDirectory(atPath: node.link, withIntermediateDirectories: true)
            try await expectNothingChanged(node.request(try await node.tracing("new")), "not a symbolic link")
        }

        @Test(arguments: [".deploy-swift", ".deploy-swift/system"])
        func aStateFolderThatIsALinkIsRefused(name: String) async throws {
            let target = "\(node.path)/elsewhere"
            try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
            let folder = "\(node.path)/state/profiles/"
            if name.contains("/") {
                try FileManager.default.createDirectory(
                    atPath: folder + ".deploy-swift", withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            }
            try FileManager.default.createSymbolicLink(atPath: folder + name, withDestinationPath: target)
            try await expectNothingChanged(node.request(try await node.tracing("new")), "cannot be trusted")
            #expect(try FileManager.default.contentsOfDirectory(atPath: target) == [])
        }

        @Test func aStateFolderThatOthersMayEnterIsRefused() async throws {
            try FileManager.default.createDirectory(
                atPath: "\(node.path)/state/profiles/.deploy-swift", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o777])
            try await expectNothingChanged(node.request(try await node.tracing("new")), "others may enter")
        }

        @Test(.enabled(if: getuid() == 0, "only root can give a folder away"))
        func aStateFolderOfSomeoneElseIsRefused() async throws {
            let folder = "\(node.path)/state/profiles/.deploy-swift"
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            #expect(chown(folder, 12345, 12345) == 0)
            try await expectNothingChanged(node.request(try await node.tracing("new")), "belongs to user 12345")
        }

        @Test func aJournalThatCannotBeWrittenStopsItBeforeAnythingChanges() async throws {
            try await node.generations([try await node.tracing("old")])
            var command = node.command(.activate(node.request(try await node.tracing("new"))))
            command.words = ["sh", "-c", "ulimit -f 0; exec \"$@\"", "sh"] + command.words
            let end = try await RunningAgent(command).end()
            #expect(end.exit == .code(1))
            #expect(end.verdict?.verdict == .failed)
            #expect(end.verdict?.reason?.contains("File too large") == true)
            #expect(end.verdict?.generation?.number == 1)
            #expect(node.traced == [])
        }

        @Test func aGuardianThatCannotStartIsAFailureThatChangedNothing() async throws {
            try await node.generations([try await node.tracing("old")])
            let log = "\(node.state)/\(GuardianProcess.logName)"
            _ = try StateFolder.make(beside: ProfileLink(path: node.link))
            try FileManager.default.createDirectory(atPath: log, withIntermediateDirectories: false)
            let request = node.request(try await node.tracing("new"))
            let end = try await node.activate(request)
            #expect(end.exit == .code(1))
            #expect(end.verdict?.verdict == .failed)
            #expect(end.verdict?.reason?.contains(log) == true)
            // That is the last word, for whoever asks later too: nothing is left to be finished.
            #expect(try node.journal()?.report == end.verdict)
            #expect(try await node.confirm(request).verdict == end.verdict)
            let files = try FileManager.default.contentsOfDirectory(atPath: node.state)
            #expect(!files.contains { $0.hasPrefix("spare") }, "\(files)")
            #expect(node.generation == 1 && node.traced == [])
        }

        @Test func aDamagedJournalIsNotGuessedAt() async throws {
            try await node.deploy(try await node.closure("old", "true"))
            try "{\"version\":1".write(toFile: "\(node.state)/journal.json", atomically: false, encoding: .utf8)
            try await expectNothingChanged(node.request(try await node.tracing("new")), "journal.json, cannot be read")
        }

        @Test func withoutNixItSaysSo() async throws {
            guard locateProgram("nix-env", path: Nix.usualFolders([:]).joined(separator: ":")) == nil else { return }
            var command = node.command(.activate(node.request(try await node.tracing("new"))))
            command.environment["PATH"] = "/nowhere"
            let end = try await RunningAgent(command).end()
            #expect(end.verdict?.reason?.contains("nix-env was not found") == true)
        }

        @Test func wrongWordsAreAUsageError() async throws {
            var command = node.command(.status([node.location]))
            command.words = [ScratchNode.agent, "activate", "/c", "--fast"]
            let end = try await RunningAgent(command).end()
            #expect(end.exit == .code(2))
            #expect(end.errorOutput == "activate: error: unknown option --fast; see activate --help\n")
            command.words = [ScratchNode.agent, "guardian", "carry", "begin", node.link]
            #expect(try await RunningAgent(command).end().exit == .code(2))
        }
    }
}
