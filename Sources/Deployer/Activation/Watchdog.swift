import Shared
import Synchronization

/// How long a node may say nothing before it is asked over another connection: its own limit for what it is at, and grace.
///
/// The node keeps its limits itself; this is for one that no longer can, such as one whose guardian is suspended.
final class Watchdog: Sendable {
    /// Beyond a node's own limit.
    static let grace = Duration.seconds(60)
    /// What moves a profile's link is ended by the agent after this long.
    private static let linkLimit = Duration.seconds(300)

    private let activationTimeout: Duration?
    private let grace: Duration
    private let deadline = Mutex<ContinuousClock.Instant?>(nil)

    /// - Parameter activationTimeout: none if nil
    init(activationTimeout: Duration?, grace: Duration = Watchdog.grace) {
        self.activationTimeout = activationTimeout
        self.grace = grace
    }

    /// How long a node may take to put a generation back.
    static func rollbackLimit(_ activationTimeout: Duration?) -> Duration {
        (activationTimeout ?? .seconds(StandardLimits.activation)) + linkLimit
    }

    /// Sets the time anew where an event begins something else.
    func hear(_ event: AgentEvent) {
        switch event {
        case .started: allow(activationTimeout.map { $0 + Self.linkLimit })
        // Then it may first have to finish what someone else left.
        case .waitingForLock(_, let seconds):
            allow(.seconds(seconds) + Self.rollbackLimit(activationTimeout) + Self.linkLimit)
        case .unitFailed: allow(.zero)
        case .profileSet: allow(activationTimeout)
        case .activationEnded: allow(.zero)
        case .awaitingConfirmation(let seconds): allow(.seconds(seconds))
        case .rollingBack: allow(Self.rollbackLimit(activationTimeout))
        case .warning, .locked, .output, .verdict: break
        }
    }

    /// Waits until the time is over; cancelling ends it early.
    func bark() async {
        while !Task.isCancelled {
            let next = deadline.withLock { $0 }
            if let next, next <= .now { return }
            // A later event may set an earlier time, so none is slept through; cancelling is looked at above.
            try? await ContinuousClock().sleep(until: min(next ?? .now + .seconds(1), .now + .seconds(1)))
        }
    }

    private func allow(_ limit: Duration?) {
        deadline.withLock { $0 = limit.map { .now + $0 + grace } }
    }
}

/// A node that no longer keeps its own limits.
struct SilentNode: Error, CustomStringConvertible {
    var description: String { "the node has said nothing for longer than its own limits allow" }
}
