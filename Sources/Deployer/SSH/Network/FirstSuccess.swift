/// Tries candidates in their order, the next one as soon as one has failed or the pause is over; the first success wins.
///
/// So a dead candidate costs the pause, not its time limit. Those under way are cancelled, and what they still bring is
/// discarded.
///
/// - Parameters:
///   - pause: between the start of one and the next
///   - discard: gives back a success that nobody takes
///   - attempt: throws why it failed
/// - Returns: the success, or why each one failed, in order
/// - Throws: `CancellationError` when cancelled
func firstSuccess<Candidate: Sendable, Value: Sendable>(
    _ candidates: [Candidate], pause: Duration, discard: @escaping @Sendable (Value) async -> Void,
    _ attempt: @escaping @Sendable (Candidate) async throws -> Value
) async throws -> FirstSuccess<Value> {
    let (winner, failures) = await withTaskGroup(of: RaceEvent<Value>.self) { group in
        var winner: Value?
        var failures: [(any Error)?] = Array(repeating: nil, count: candidates.count)
        var started = 0
        func startNext() {
            guard winner == nil, started < candidates.count else { return }
            let index = started
            started += 1
            group.addTask { await RaceEvent(index) { try await attempt(candidates[index]) } }
            group.addTask { await RaceEvent(index, after: pause) }
        }
        startNext()
        while let event = await group.next() {
            switch event.what {
            case .won(let value) where winner == nil:
                winner = value
                group.cancelAll()
            case .won(let value): await discard(value)
            case .failed(let error):
                failures[event.index] = error
                if event.index == started - 1 { startNext() }
            case .pauseOver: if event.index == started - 1 { startNext() }
            }
            // Nobody waits for the pauses any more.
            if failures.allSatisfy({ $0 != nil }) { group.cancelAll() }
        }
        return (winner, failures.compactMap(\.self))
    }
    if Task.isCancelled, let winner { await discard(winner) }
    try Task.checkCancellation()
    return winner.map { .value($0) } ?? .failures(failures)
}

/// How a race ended.
enum FirstSuccess<Value: Sendable>: Sendable {
    case value(Value)
    case failures([any Error])
}

/// Something that happened to one candidate.
private struct RaceEvent<Value: Sendable>: Sendable {
    enum What: Sendable {
        case won(Value)
        case failed(any Error)
        case pauseOver
    }

    let index: Int
    let what: What

    init(_ index: Int, _ attempt: @Sendable () async throws -> Value) async {
        self.index = index
        do {
            what = .won(try await attempt())
        } catch {
            what = .failed(error)
        }
    }

    init(_ index: Int, after pause: Duration) async {
        // Cancelled: the race is over.
        try? await ContinuousClock().sleep(for: pause)
        self.index = index
        what = .pauseOver
    }
}
