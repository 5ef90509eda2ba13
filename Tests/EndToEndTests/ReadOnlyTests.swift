import Shared
import Testing

/// Folders that cannot be written, and a guardian that does not run.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct ReadOnlyTests {
    private static let folder = "/nix/var/nix/profiles"

    @Test("R11, R28: where the state cannot be written nothing is changed, and that is told")
    func aReadOnlyState() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let state = "\(Self.folder)/.deploy-swift"
            try await scene.node.shell("mount --bind \(state) \(state); mount -o remount,bind,ro \(state)")
            expect(
                try await scene.deploy("two"), is: .failed, says: "nothing changed", "Read-only file system")
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one"]))
            try await scene.node.shell("umount \(state)")
            try await scene.deployed("three")
        }
    }

    @Test("R3: neither a full nor a read-only folder of temporary files hinders an activation")
    func noRoomForTemporaryFiles() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            try await scene.lab.tool("full", "web1", "/tmp", "1M")
            try await scene.deployed("two")
            try await scene.lab.tool("full", "web1", "/tmp", "off")
            try await scene.node.shell("mount -o remount,ro /tmp")
            try await scene.deployed("three")
            #expect(try await scene.state().current == 3)
        }
    }

    /// Nobody confirms while the cable is cut; it runs on only when its time is long over.
    @Test("R21: a guardian that is stopped past its deadline rolls back once it goes on")
    func aGuardianStoppedPastItsDeadline() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "4"])
            try await scene.node.waits(for: Script.isHeld)
            try await scene.lab.tool("cut", "web1")
            try await scene.node.shell(
                "\(Script.release); until \(Script.isAwaiting); do :; done; pkill -STOP -f '[b]in/activate guardian'")
            try await scene.node.waits(for: Script.isAwaiting(noMoreThan: 0))
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
            try await scene.node.shell("pkill -CONT -f '[b]in/activate guardian'")
            try await scene.node.waits(for: Script.has("rolledBack"))
            try await scene.lab.tool("heal", "web1")
            try await expect(run, endsAs: .rolledBack, says: "it was not confirmed within 4 s")
        }
    }
}
