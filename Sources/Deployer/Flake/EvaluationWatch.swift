import Synchronization

/// Reads what an evaluation traces for us: each node's settings, which nodes are evaluated, and where it is.
final class EvaluationWatch: Sendable {
    private let marker: String?
    private let onNode: @Sendable (Deployment) -> Void
    private let onCounts: @Sendable (BuildCounts) -> Void
    private let counts = Mutex(BuildCounts())
    private let latest = Mutex<[String]?>(nil)

    /// The attribute that was evaluated last, from `deploy` down; nil before the first, and where all is done.
    var place: [String]? { latest.withLock { $0 } }

    /// - Parameter marker: what stands in front of it; nothing is traced if nil
    init(
        marker: String?, onNode: @escaping @Sendable (Deployment) -> Void,
        onCounts: @escaping @Sendable (BuildCounts) -> Void
    ) {
        (self.marker, self.onNode, self.onCounts) = (marker, onNode, onCounts)
    }

    /// - Returns: whether the line is for us, and for nobody else
    func take(_ line: String) -> Bool {
        guard let marker, let range = line.firstRange(of: marker) else { return false }
        let text = line[range.upperBound...]
        if text == EvaluationExpression.done {
            latest.withLock { $0 = nil }
            change { $0.nodes.done += 1 }
        } else if text.hasPrefix(EvaluationExpression.place) {
            let names = try? JSONValue(parsing: Array(text.dropFirst(EvaluationExpression.place.count).utf8))
            latest.withLock { $0 = ["deploy"] + (names?.elements ?? []).compactMap(\.text) }
        } else {
            change { $0.nodes.expected += 1 }
            tell(text)
        }
        return true
    }

    /// Nix's own counts.
    func take(_ latest: BuildCounts) {
        change { counts in
            let nodes = counts.nodes
            counts = latest
            counts.nodes = nodes
        }
    }

    private func change(_ change: (inout BuildCounts) -> Void) {
        // Told under the lock, so that what is older never comes after what is newer.
        counts.withLock { counts in
            change(&counts)
            onCounts(counts)
        }
    }

    /// Hands on one node; what is wrong with it is told with the whole answer.
    private func tell(_ node: Substring) {
        guard let value = try? JSONValue(parsing: Array(node.utf8)) else { return }
        var decoder = DeploymentDecoder(areClosuresKnown: false)
        let deployment = decoder.deployment(value)
        if decoder.problems.isEmpty { onNode(deployment) }
    }
}
