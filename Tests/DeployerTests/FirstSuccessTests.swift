import Shared
import Synchronization
import Testing

@testable import Deployer

@Suite(.timeLimit(.minutes(10)))
struct FirstSuccessTests {
    private struct Refused: Error, Equatable { let index: Int }

    private func race(
        _ count: Int, pause: Duration, _ attempt: @escaping @Sendable (Int) async throws -> Int
    ) async throws -> (winner: Int?, failures: [Int]) {
        let result = try await firstSuccess(Array(0..<count), pause: pause, discard: { _ in }, attempt)
        switch result {
        case .value(let value): return (value, [])
        case .failures(let errors): return (nil, errors.compactMap { ($0 as? Refused)?.index })
        }
    }

    @Test func aDeadCandidateCostsThePauseAlone() async throws {
        let result = try await race(3, pause: .milliseconds(10)) { index in
            if index == 0 { try await ContinuousClock().sleep(for: .seconds(3600)) }
            return index
        }
        #expect(result.winner == 1)
    }

    @Test func aRefusedCandidateIsFollowedAtOnce() async throws {
        let result = try await race(3, pause: .seconds(3600)) { index in
            if index < 2 { throw Refused(index: index) }
            return index
        }
        #expect(result.winner == 2)
    }

    @Test func theFirstIsNotDisturbedWhileItAnswers() async throws {
        let started = Mutex<[Int]>([])
        let result = try await race(3, pause: .seconds(3600)) { index in
            started.withLock { $0.append(index) }
            return index
        }
        #expect(result.winner == 0)
        #expect(started.withLock { $0 } == [0])
    }

    @Test func everyFailureIsToldInOrder() async throws {
        // The last one fails first.
        let failed = (0...4).map { _ in Gate() }
        failed[4].open()
        let result = try await race(4, pause: .milliseconds(5)) { index in
            try await failed[index + 1].wait()
            failed[index].open()
            throw Refused(index: index)
        }
        #expect(result.winner == nil)
        #expect(result.failures == [0, 1, 2, 3])
        #expect(try await race(0, pause: .zero) { $0 }.failures.isEmpty)
    }

    @Test func cancellingEndsIt() async throws {
        let task = Task {
            try await race(2, pause: .milliseconds(1)) { index in
                try await ContinuousClock().sleep(for: .seconds(3600))
                return index
            }
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
    }
}
