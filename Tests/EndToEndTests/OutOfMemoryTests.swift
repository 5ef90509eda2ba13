import Shared
import Testing

/// The kernel's out-of-memory killer strikes in the middle of a deploy.
@Suite(
    .serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")),
    .enabled(if: MemoryGroup.obstacle == nil, Comment(rawValue: MemoryGroup.obstacle ?? "")), .timeLimit(.minutes(10)))
struct OutOfMemoryTests {
    /// Deploys `one`, then `two` up to the middle of its activation, where work is given the number of the script's
    /// process.
    private func during(
        then end: String, _ work: (Scene, RunningDeploy, String) async throws -> Void
    ) async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: "echo $$ >/root/script; \(Script.hold); \(end)")
            try await scene.node.waits(for: Script.isHeld)
            try await work(scene, run, try await scene.node.shell("cat /root/script"))
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    @Test func anActivationThatTheKernelKillsForItsMemoryIsRolledBack() async throws {
        // It reads a line that never ends.
        try await during(then: "exec tail /dev/zero") { scene, run, script in
            let group = try MemoryGroup(limit: 32 << 20)
            try group.take(try await scene.node.hostNumber(of: script))
            try await scene.node.shell(Script.release)
            try await expect(
                run, endsAs: .rolledBack, says: "the activation ended with signal 9",
                "rolled back, now on generation 1")
            #expect(try group.kills == 1)
            try await group.remove()
        }
    }

    /// Whatever it needs next is too much; its watcher is outside.
    @Test func aGuardianThatTheKernelKillsForItsMemoryIsReplaced() async throws {
        try await during(then: "true") { scene, run, _ in
            let group = try MemoryGroup(limit: 0)
            let guardian = try await scene.node.shell("pgrep -f '[b]in/activate guardian carry'")
            try group.take(try await scene.node.hostNumber(of: guardian))
            try await scene.node.shell(Script.release)
            try await expect(
                run, endsAs: .rolledBack, says: "another one finishes its work", "rolled back, now on generation 1")
            #expect(try group.kills == 1)
            try await group.remove()
        }
    }
}
