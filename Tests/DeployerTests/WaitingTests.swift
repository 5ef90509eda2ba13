import Synchronization
import Testing

@testable import Deployer

@Suite(.timeLimit(.minutes(10)))
struct WaitingTests {
    private struct Broken: Error, Equatable {}

    /// How many are in at once.
    private final class Inside: Sendable {
        let count = Mutex((now: 0, most: 0))
    }

    @Test func aGateLetsThroughThoseWhoWaitAndThoseWhoCome() async throws {
        let gate = Gate()
        async let early: Void = gate.wait()
        gate.open()
        gate.fail(Broken())
        try await early
        try await gate.wait()
    }

    @Test func aFailedGateTurnsEveryoneAway() async {
        let gate = Gate()
        let early = Task { try await gate.wait() }
        gate.fail(Broken())
        gate.open()
        await #expect(throws: Broken.self) { try await early.value }
        await #expect(throws: Broken.self) { try await gate.wait() }
    }

    @Test func whoIsCancelledNoLongerWaits() async {
        let gate = Gate()
        let waiter = Task { try await gate.wait() }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
    }

    @Test func thereAreNeverMoreThanTheSlots() async throws {
        let slots = Slots(3)
        let inside = Inside()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await slots.use {
                        inside.count.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                        await Task.yield()
                        inside.count.withLock { $0.now -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(inside.count.withLock { $0.most } <= 3)
        #expect(inside.count.withLock { $0.now } == 0)
    }

    @Test func sideBySideReachesItsLimitAndNeverPassesIt() async throws {
        let inside = Inside()
        let (reached, gate) = (Countdown(4), Gate())
        async let results = sideBySide(Array(0..<40), limit: 4) { number in
            inside.count.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            defer { inside.count.withLock { $0.now -= 1 } }
            reached.happened()
            try await gate.wait()
            if number == 7 { throw Broken() }
            return number
        }
        try await reached.gate.wait()
        // A fifth would have been begun together with these.
        for _ in 0..<1000 { await Task.yield() }
        gate.open()
        #expect(await results.map { try? $0.get() } == (0..<40).map { $0 == 7 ? nil : $0 })
        #expect(inside.count.withLock { $0.most } == 4)
    }

    @Test func oneWhoIsCancelledGivesItsTurnToTheNext() async throws {
        let slots = Slots(1)
        let gate = Gate()
        let first = Task { try await slots.use { try await gate.wait() } }
        let second = Task { try await slots.use {} }
        let third = Task { try await slots.use { 3 } }
        second.cancel()
        gate.open()
        try await first.value
        _ = await second.result
        #expect(try await third.value == 3)
    }
}
