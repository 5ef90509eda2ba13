import Glibc
import Shared

/// The systemd that a profile's units belong to: the machine's for root, else the user's own.
struct Systemd: Sendable {
    private let environment: [String: String]
    private let isOfUser: Bool

    init(_ environment: [String: String], isOfUser: Bool = geteuid() != 0) {
        var environment = environment
        environment["PATH"] = (environment["PATH"] ?? "") + ":/run/current-system/sw/bin:/usr/bin:/bin"
        self.environment = environment
        self.isOfUser = isOfUser
    }

    /// Runs `systemctl`, or another of its programs; nil where it cannot be run or does not end in time.
    func run(_ words: [String], of program: String = "systemctl", limit: Duration) async -> LocalResult? {
        let words = [program] + (isOfUser ? ["--user"] : []) + words
        let command = LocalCommand(words, environment: environment)
        let result = try? await command.run(outputLimit: 64 << 10, timeLimit: limit)
        return result.flatMap { $0.timedOut ? nil : $0 }
    }
}
