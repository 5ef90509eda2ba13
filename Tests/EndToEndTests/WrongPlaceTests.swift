import Shared
import Testing

/// Rollbacks that could end on the wrong generation.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct WrongPlaceTests {
    private static let profile = "/nix/var/nix/profiles/system"

    @Test("R11: where the profile cannot be set there is nothing to roll back")
    func aSetThatFails() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one", "two")
            let text = #"case " $* " in *" --set "*) echo no >&2; exit 1 ;; esac; exec /usr/bin/nix-env "$@""#
            try await scene.node.shell(
                "printf '#!/bin/sh\\n%s\\n' \(shellQuoted(text)) >/usr/local/bin/nix-env; chmod 755 /usr/local/bin/nix-env"
            )
            expect(
                try await scene.deploy("three"), is: .failed, says: "nothing changed, still on generation 2",
                "the profile could not be set")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    @Test("R12, R15: an unchanged closure that is not confirmed stays, and so does its generation")
    func anUnchangedClosure() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            try await scene.node.shell(Script.release)
            try await scene.deployed("two", then: Script.hold)
            try await scene.node.shell("rm /root/go /root/held")
            let run = try scene.start("two", then: Script.hold, ["--force", "--confirm-timeout", "2"])
            try await scene.node.waits(for: Script.isHeld)
            try await scene.lab.tool("cut", "web1")
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.has("rolledBack"))
            try await scene.lab.tool("heal", "web1")
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 2")
            let marks = ["one", "two", "two", "two"]
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: marks))
        }
    }

    @Test("R14: what someone else has set in the window is left alone, and that is told")
    func aProfileThatSomeoneElseMoves() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "2"])
            try await scene.node.waits(for: Script.isHeld)
            try await scene.lab.tool("cut", "web1")
            try await scene.node.shell(
                "mkdir /root/theirs; nix-env -p \(Self.profile) --set $(nix-store --add /root/theirs); \(Script.release)"
            )
            try await scene.node.waits(for: Script.has("stuck"))
            try await scene.lab.tool("heal", "web1")
            try await expect(
                run, endsAs: .stuck, says: "stuck on generation 3", "someone else has moved \(Self.profile) meanwhile")
            #expect(try await scene.state() == .init(current: 3, generations: [1, 2, 3], marks: ["one", "two"]))
        }
    }
}
