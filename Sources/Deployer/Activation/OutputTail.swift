import Shared
import Synchronization

/// The last lines that the activation of one profile wrote; those of its rollback apart, so that they push none out.
final class OutputTail: Sendable {
    /// Lines kept of each.
    static let length = 20

    private struct Lines {
        var activation: [String] = []
        var rollback: [String] = []
        var isRollingBack = false
    }

    private let lines = Mutex(Lines())

    var activation: [String] { lines.withLock { $0.activation } }
    var rollback: [String] { lines.withLock { $0.rollback } }

    /// Keeps what an event tells; cheap for all others.
    func hear(_ event: AgentEvent) {
        switch event {
        case .rollingBack: lines.withLock { $0.isRollingBack = true }
        case .output(_, let line):
            lines.withLock { lines in
                if lines.isRollingBack {
                    lines.rollback = lines.rollback.suffix(OutputTail.length - 1) + [line]
                } else {
                    lines.activation = lines.activation.suffix(OutputTail.length - 1) + [line]
                }
            }
        default: break
        }
    }
}
