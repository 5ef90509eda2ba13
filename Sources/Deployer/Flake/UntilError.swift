import Synchronization

/// Passes lines on until the first that is Nix's error: that text is shown with the error itself, and only there.
final class UntilError: Sendable {
    private let hasFailed = Mutex(false)
    private let onLine: @Sendable (NixLogLine) -> Void

    init(_ onLine: @escaping @Sendable (NixLogLine) -> Void) { self.onLine = onLine }

    func add(_ line: NixLogLine) {
        let isQuiet = hasFailed.withLock { hasFailed in
            if line.text.hasPrefix("error:") { hasFailed = true }
            return hasFailed
        }
        if !isQuiet { onLine(line) }
    }
}
