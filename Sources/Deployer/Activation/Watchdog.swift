import Shared
import Synchronization

/// How long a node may say nothing before it is asked over another connection: its own limit for what it is at, and grace.
///
/// The node keeps its limits itself; this is for one that no longer can, such as one whose guardian is suspended.
final class Watchdog: Sendable {
    /// Beyond a node's own limit.
    static let grace = Duration.seconds(60)
    private static let linkLimit = Duration.seconds(StandardLimits.link)

    private struct State {
        var deadline: ContinuousClock.Instant?
        var hasBegun = false
    }

    private let activationTimeout: Duration?
    private let grace: Duration
    private let state: Mutex<State>

    /// - Parameters:
    ///   - activationTimeout: none if nil
    ///   - firstWord: how long the node may take for its first event
    init(
        activationTimeout: Duration?, grace: Duration = Watchdog.grace, firstWord: Duration = Preflight.answerLimit
    ) {
        self.activationTimeout = activationTimeout
        self.grace = grace
        state = Mutex(State(deadline: .now + firstWord))
    }

    /// How long a node may take to put a generation back.
    static func rollbackLimit(_ activationTimeout: Duration?) -> Duration {
        (activationTimeout ?? .seconds(StandardLimits.activation)) + linkLimit
    }

    /// False as long as the node has not said that it has begun.
    var hasBegun: Bool { state.withLock { $0.hasBegun } }

    /// Sets the time anew where an event begins something else.
    func hear(_ event: AgentEvent) {
        switch event {
        case .waitingForLock(_, let seconds), .recovering(let seconds): allow(.seconds(seconds))
        case .started:
            state.withLock { $0.hasBegun = true }
            allow(activationTimeout.map { $0 + Self.linkLimit })
        // Until it begins, what else is heard of is the work that someone else has left.
        case _ where !hasBegun: break
        case .unitFailed: allow(.zero)
        case .profileSet: allow(activationTimeout)
        case .activationEnded, .healthy: allow(.zero)
        case .checkingHealth(let seconds), .awaitingConfirmation(let seconds): allow(.seconds(seconds))
        case .rollingBack: allow(Self.rollbackLimit(activationTimeout))
        case .rebooting(_, let seconds): allow(.seconds(seconds))
        case .alive, .warning, .locked, .output, .verdict: break
        }
    }

    /// Waits until the time is over; cancelling ends it early.
    func bark() async {
        while !Task.isCancelled {
            let next = state.withLock { $0.deadline }
            if let next, next <= .now { return }
            // A later event may set an earlier time, so none is slept through; cancelling is looked at above.
            try? await ContinuousClock().sleep(until: min(next ?? .now + .seconds(1), .now + .seconds(1)))
        }
    }

    private func allow(_ limit: Duration?) {
        state.withLock { $0.deadline = limit.map { .now + $0 + grace } }
    }
}

/// A node that no longer keeps its own limits.
struct SilentNode: Error, CustomStringConvertible {
    let hasBegun: Bool

    var description: String {
        hasBegun
            ? "the node has said nothing for longer than its own limits allow"
            : "the agent on the node does not begin"
    }
}
