import Shared

/// A question to the person at the terminal.
struct Question: Sendable, Equatable {
    var text: String
    /// The answer is not shown while it is typed.
    var isSecret: Bool
}

/// Asks the person who started the program; a table of answers in tests.
protocol Prompter: Sendable {
    /// Held by whoever talks to the terminal, also by a program started for it: never two at once.
    var terminal: AsyncLock { get }

    /// What else is written to the terminal; nil if nothing is.
    var screen: Console? { get }

    /// Whether there is somebody to ask.
    var canAsk: Bool { get }

    /// Asks, while the caller holds ``terminal``.
    ///
    /// - Returns: the answer without its line feed; nil if there is no terminal
    /// - Throws: `CancellationError`
    func askNow(_ question: Question) async throws -> Secret?
}

extension Prompter {
    var screen: Console? { nil }

    /// Waits for the terminal, then runs work that talks there, such as a program that may ask.
    func withTerminal<Result>(_ work: () async throws -> Result) async throws -> Result {
        try await terminal.withLock {
            screen?.hold()
            defer { screen?.release() }
            return try await work()
        }
    }

    /// Waits for the terminal, then asks.
    func ask(_ question: Question) async throws -> Secret? {
        try await terminal.withLock { try await askNow(question) }
    }
}
