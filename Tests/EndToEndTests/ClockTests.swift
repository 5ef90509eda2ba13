import Glibc
import Shared
import Testing

/// The wall clock jumps in the window; it is the whole machine's, so `make test-clock` has to ask for this, alone.
@Suite(
    .serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")),
    .enabled(
        if: currentEnvironment()["DEPLOY_TEST_CLOCK"] == "1",
        "it moves the clock of the whole machine by a day: make test-clock"), .timeLimit(.minutes(10)))
struct ClockTests {
    private static let day = 86400

    @Test func aJumpForwardEndsNoWindow() async throws {
        try await Scene.with { scene in
            let run = try await awaiting(scene, timeout: 24)
            try await jumped(by: Self.day) {
                try await scene.node.waits(for: Script.isAwaiting(noMoreThan: 16))
                try await scene.lab.tool("heal", "web1")
                try await expect(run, endsAs: .done, says: "deployed and confirmed on generation 2")
            }
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    @Test func aJumpBackPutsNoDeadlineOff() async throws {
        try await Scene.with { scene in
            let run = try await awaiting(scene, timeout: 4)
            try await jumped(by: -Self.day) {
                try await scene.node.waits(for: Script.has("rolledBack"))
                try await scene.lab.tool("heal", "web1")
                try await expect(run, endsAs: .rolledBack, says: "it was not confirmed within 4 s")
            }
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    /// A deploy of `two` that nobody can confirm, for the link is cut.
    private func awaiting(_ scene: Scene, timeout: Int) async throws -> RunningDeploy {
        try await scene.deployed("one")
        let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "\(timeout)"])
        try await scene.node.waits(for: Script.isHeld)
        try await scene.lab.tool("cut", "web1")
        try await scene.node.shell("\(Script.release); until \(Script.isAwaiting); do :; done")
        return run
    }

    private func jumped(by seconds: Int, _ work: () async throws -> Void) async throws {
        try jump(by: seconds)
        do {
            try await work()
        } catch {
            try jump(by: -seconds)
            throw error
        }
        try jump(by: -seconds)
    }

    private func jump(by seconds: Int) throws {
        var time = timespec()
        guard clock_gettime(CLOCK_REALTIME, &time) == 0 else { throw SystemError("clock_gettime") }
        time.tv_sec += seconds
        guard clock_settime(CLOCK_REALTIME, &time) == 0 else { throw SystemError("clock_settime") }
    }
}
