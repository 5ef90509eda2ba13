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
        var hasUnseen = false
    }

    private let lines = Mutex(Lines())

    var activation: [String] { lines.withLock { $0.activation } }
    var rollback: [String] { lines.withLock { $0.rollback } }

    /// True where nobody here has seen the activation's last lines yet.
    var hasUnseen: Bool { lines.withLock { $0.hasUnseen } }

    /// Takes what the node has kept, where more was written than came through.
    func complete(with kept: [String]) {
        lines.withLock { lines in
            guard let last = kept.last, lines.activation.last.map({ !$0.hasPrefix(last) }) ?? true else { return }
            lines.activation = kept
            lines.hasUnseen = true
        }
    }

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
