import Synchronization

@testable import Deployer

/// What happened on simulated nodes, in its order.
final class FleetTrace: Sendable {
    struct Event: Sendable, Equatable {
        var moment: Moment
        var host: String
        var isEnd: Bool
        var time: ContinuousClock.Instant
    }

    private struct State {
        var events: [Event] = []
        var inside: [Moment: Int] = [:]
        var most: [Moment: Int] = [:]
        var open = 0
        var mostOpen = 0
    }

    private let state = Mutex(State())

    var events: [Event] { state.withLock { $0.events } }
    /// The most connections that were open at a time.
    var mostOpen: Int { state.withLock { $0.mostOpen } }
    /// Connections that are open now.
    var open: Int { state.withLock { $0.open } }

    /// The most nodes that went through a moment at a time.
    func most(_ moment: Moment) -> Int { state.withLock { $0.most[moment] ?? 0 } }

    /// How many go through a moment now.
    func now(_ moment: Moment) -> Int { state.withLock { $0.inside[moment] ?? 0 } }

    /// How often a moment began.
    func count(_ moment: Moment) -> Int { events.count { $0.moment == moment && !$0.isEnd } }

    func begin(_ moment: Moment, _ host: String) {
        state.withLock { state in
            let count = state.inside[moment, default: 0] + 1
            state.inside[moment] = count
            state.most[moment] = max(count, state.most[moment] ?? 0)
            state.events.append(Event(moment: moment, host: host, isEnd: false, time: .now))
        }
    }

    func end(_ moment: Moment, _ host: String) {
        state.withLock { state in
            state.inside[moment, default: 0] -= 1
            state.events.append(Event(moment: moment, host: host, isEnd: true, time: .now))
        }
    }

    func opened() {
        state.withLock { state in
            state.open += 1
            state.mostOpen = max(state.mostOpen, state.open)
        }
    }

    func closed() { state.withLock { $0.open -= 1 } }
}

/// Lets nobody on before so many have come; then all of them, and again.
final class Meeting: Sendable {
    private let size: Int
    private let state = Mutex((count: 0, gate: Gate()))

    init(_ size: Int) { self.size = size }

    func join() async throws {
        let (isLast, gate) = state.withLock { state in
            let gate = state.gate
            state.count += 1
            let isLast = state.count == size
            if isLast { state = (0, Gate()) }
            return (isLast, gate)
        }
        if isLast { gate.open() } else { try await gate.wait() }
    }
}

/// Opens once so many things have happened.
final class Countdown: Sendable {
    let gate = Gate()
    private let left: Mutex<Int>

    init(_ count: Int) { left = Mutex(count) }

    func happened() {
        let isLast = left.withLock { left in
            left -= 1
            return left == 0
        }
        if isLast { gate.open() }
    }
}
