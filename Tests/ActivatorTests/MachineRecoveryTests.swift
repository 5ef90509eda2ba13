import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    /// `recover` without profiles finds them by itself.
    @Suite struct MachineRecoveryTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        /// Leaves an activation whose guardian is gone on a profile.
        private func leaveInterrupted(_ link: String) async throws {
            try FileManager.default.createDirectory(
                atPath: (link as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            for closure in [try await node.tracing("old"), try await node.tracing("new")] {
                try await node.nix(["nix-env", "-p", link, "--set", closure])
            }
            let profile = try ProfileLink(path: link)
            var request = node.request(try await node.tracing("new"))
            request.profile = .path(link)
            var record = try Record(request, profile)
            let generations = profile.generations()
            record.previous = Generation(number: 1, path: try #require(generations[1]))
            record.previousTarget = "\(profile.name)-1-link"
            record.state = .activating
            record.progress = Record.Progress(
                settingProfile: true, profileSet: try profile.generation(), isNew: true, scriptStarted: true)
            try Journal(folder: StateFolder.make(beside: profile)).write(record)
        }

        private func generation(_ link: String) throws -> Int? { try ProfileLink(path: link).generation()?.number }

        @Test func everyInterruptedProfileIsFoundAndPutBack() async throws {
            // Nix's own folder; one that only its roots know of.
            let links = [node.link, "\(node.path)/home/deep/app"]
            for link in links { try await leaveInterrupted(link) }
            let end = try await node.run(.recover([]))
            #expect(end.exit == .code(0), "\(end)")
            for link in links {
                #expect(try generation(link) == 1)
                #expect(end.output.contains("\(link): an earlier activation of "), "\(end)")
                #expect(end.output.contains("\(link): Rolled back: interrupted during activation"), "\(end)")
            }
            let again = try await node.run(.recover([]))
            #expect(again.exit == .code(0))
            #expect(again.output == "")
        }

        @Test func aProfileIsFoundThatOnlyItsUsersOwnRootsTellOf() throws {
            let link = "\(node.path)/home/deep/app"
            _ = try StateFolder.make(beside: ProfileLink(path: link))
            let own = "\(node.path)/state/gcroots/per-user/someone"
            try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
            let roots = try #require(OwnRoots(node.environment.merging(["USER": "someone"]) { $1 }))
            #expect(KnownProfiles(environment: node.environment).find().isEmpty)
            #expect(roots.register("\(node.path)/home/deep/.deploy-swift/app/root"))
            #expect(KnownProfiles(environment: node.environment).find().map(\.link) == [link])
        }

        @Test func inTheBackgroundAGuardianHasItBeforeTheCommandEnds() async throws {
            try await leaveInterrupted(node.link)
            let end = try await node.run(.recover([], background: true))
            #expect(end.exit == .code(0), "\(end)")
            #expect(end.output.contains("was interrupted: finishing it"))
            let folder = try #require(try StateFolder.find(beside: ProfileLink(path: node.link)))
            try FileLock.waitUntilFree(ProfileLock.livenessName, in: folder)
            #expect(try node.journal()?.report?.verdict == .rolledBack)
            #expect(try generation(node.link) == 1)
        }

        @Test func whatALivingGuardianCarriesIsLeftToIt() async throws {
            let request = node.request(try await node.tracing("new"))
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            let end = try await node.run(.recover([]))
            #expect(end.exit == .code(0), "\(end)")
            #expect(end.output.contains("The profile is held by alice@laptop"))
            #expect(try await node.confirm(request).verdict?.verdict == .committed)
            #expect(try await agent.end().exit == .code(0))
        }

        @Test func oneThatCannotBeReadDoesNotKeepOthersFromRecovery() async throws {
            try await leaveInterrupted(node.link)
            let broken = "\(node.path)/state/profiles/.deploy-swift/another"
            try FileManager.default.createDirectory(
                atPath: broken, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try "{".write(toFile: "\(broken)/journal.json", atomically: false, encoding: .utf8)
            let end = try await node.run(.recover([]))
            #expect(end.exit == .code(1))
            #expect(end.output.contains("/another: activate: error: the record of the last deploy"), "\(end)")
            #expect(try generation(node.link) == 1)
        }

        /// Through a link of theirs, users could have root look anywhere.
        @Test(.enabled(if: geteuid() == 0, "needs root to make another user's folders"))
        func aFolderThatOthersCanExchangeIsNotLookedAt() async throws {
            let folder = "\(node.path)/shared"
            try await leaveInterrupted("\(folder)/other/app")
            let state = "\(folder)/other/.deploy-swift"
            for path in ["\(folder)/other", state, "\(state)/app", "\(state)/app/journal.json"] { chown(path, 1, 1) }
            chmod(folder, 0o777)
            let end = try await node.run(.recover([]))
            #expect(end.exit == .code(1))
            #expect(end.output.contains("/app: not looked at: others than "), "\(end)")
            #expect(try generation("\(folder)/other/app") == 2)
        }
    }
}

@Test(arguments: [
    ("/home/a/.local/state/nix/profiles/app-3-link", "/home/a/.local/state/nix/profiles"),
    ("/home/a/.local/state/nix/profiles/.deploy-swift/app/root-2", "/home/a/.local/state/nix/profiles"),
    ("/home/a/result", nil), ("relative/app-1-link", nil), ("/app-1-link", "/"),
])
func aRootTellsTheFolderOfItsProfile(root: String, folder: String?) {
    #expect(KnownProfiles.folder(ofRoot: root) == folder)
}

struct AccountTests {
    @Test func anAccountIsALineOfTheDatabase() throws {
        let account = try #require(Account(line: "app:x:2001:2002:App,,,:/home/app:/bin/sh"))
        #expect(account.name == "app" && account.user == 2001 && account.group == 2002 && account.home == "/home/app")
        #expect(account.groups(in: "a:x:1:b,app\nb:x:2:apple\nc:x:2002:app\nd:x:3:app\n") == [2002, 1, 3])
        for line in ["", "app:x:2001", "app:x:-1:1::/h:", "app:x:1:1::relative:", "app:x:99999999999:1::/h:"] {
            #expect(Account(line: line) == nil)
        }
    }

    @Test func aUsersEnvironmentHoldsNothingOfRootsOwn() throws {
        let account = try #require(Account(line: "app:x:2001:2002::/home/app:/bin/sh"))
        let ours = [
            "PATH": "/p", "HOME": "/root", "USER": "root", "NIX_STATE_DIR": "/n", "NIX_CONFIG": "t", "SECRET": "s",
        ]
        let expected = ["PATH": "/p", "HOME": "/home/app", "USER": "app", "LOGNAME": "app", "NIX_STATE_DIR": "/n"]
        #expect(account.environment(from: ours) == expected)
    }
}
