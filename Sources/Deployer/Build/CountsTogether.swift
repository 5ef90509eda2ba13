import Synchronization

/// Adds up the counts of Nix programs that run side by side.
final class CountsTogether: Sendable {
    private let counts = Mutex<[String: BuildCounts]>([:])
    private let onCounts: @Sendable (BuildCounts) -> Void

    init(_ onCounts: @escaping @Sendable (BuildCounts) -> Void) { self.onCounts = onCounts }

    /// - Parameter program: which of them has come so far
    func take(_ latest: BuildCounts, of program: String) {
        // Told under the lock, so that an older sum never comes after a newer one.
        counts.withLock { counts in
            counts[program] = latest
            onCounts(counts.values.reduce(BuildCounts(), +))
        }
    }
}

extension BuildCounts {
    fileprivate static func + (left: BuildCounts, right: BuildCounts) -> BuildCounts {
        var sum = left
        sum.nodes = left.nodes + right.nodes
        sum.builds = left.builds + right.builds
        sum.copies = left.copies + right.copies
        sum.bytes += right.bytes
        sum.expectedBytes += right.expectedBytes
        sum.current = left.current ?? right.current
        return sum
    }
}
