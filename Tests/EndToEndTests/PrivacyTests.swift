import Shared
import Testing

/// What another local user can do to an activation: nothing (R9, A19).
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct PrivacyTests {
    private static let state = "/nix/var/nix/profiles/.deploy-swift"

    @Test func theCanaryAndTheJournalAreNobodyElses() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: "lab-service sshd stop", ["--confirm-timeout", "8"])
            try await scene.node.waits(for: Script.isAwaiting)
            let canary = try await scene.node.shell("cd \(Self.state)/system; echo canary-*")
            let attempts = [
                "ls \(Self.state)/system", "cat \(Self.state)/system/journal.json", "cat \(Self.state)/system/events",
                "rm -f \(Self.state)/system/\(canary)", "touch \(Self.state)/system/confirmed\(canary.dropFirst(6))",
                "mv \(Self.state)/system/\(canary) \(Self.state)/system/confirmed\(canary.dropFirst(6))",
                "mv \(Self.state) \(Self.state)-away", "ln -s /tmp \(Self.state)/system/x",
            ]
            for attempt in attempts {
                for user in ["pw", "app"] {
                    let result = try await scene.node.shell("\(attempt) 2>&1 || echo refused", as: user)
                    #expect(result.hasSuffix("refused"), "\(user): \(attempt): \(result)")
                }
            }
            // Nor is anything of it told by the processes that all can see.
            let nonce = String(canary.dropFirst("canary-".count))
            let processes = try await scene.node.shell(
                "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'", as: "pw")
            #expect(!processes.contains(nonce))
            try await expect(run, endsAs: .rolledBack, says: "it was not confirmed within 8 s")
        }
    }

    /// In a folder where all may write, the state folder's name may be taken already.
    @Test(arguments: [
        ("mkdir -m 777 /srv/open/.deploy-swift", "it belongs to user"),
        ("mkdir /home/pw/trap; ln -s /home/pw/trap /srv/open/.deploy-swift", "it is not a folder"),
        ("touch /srv/open/.deploy-swift", "it is not a folder"),
    ])
    func aStateFolderThatSomeoneElseMadeIsRefused(trap: String, reason: String) async throws {
        try await Scene.with { scene in
            try await scene.node.shell("mkdir -p /srv/open; chmod 1777 /srv/open")
            try await scene.node.shell(trap, as: "pw")
            try scene.write("one", extra: "profilePath = \"/srv/open/web\";")
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(result, is: .failed, says: "cannot be trusted: \(reason)", "nothing changed")
            #expect(try await scene.state().marks == [])
            #expect(try await scene.node.shell("ls -A /home/pw/trap 2>/dev/null || true") == "")
        }
    }

    /// A canary of one's own making confirms nothing.
    @Test func forgedNamesConfirmNothing() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: "lab-service sshd stop", ["--confirm-timeout", "4"])
            try await scene.node.waits(for: Script.isAwaiting)
            // Even as root, by another number than this run's.
            try await scene.node.shell("touch \(Self.state)/system/confirmed-0123456789abcdef0123456789abcdef")
            try await expect(run, endsAs: .rolledBack, says: "it was not confirmed within 4 s")
        }
    }
}
