/// How far a Nix program has come, by its own counts.
struct BuildCounts: Sendable, Equatable {
    struct Count: Sendable, Equatable {
        var done = 0
        var expected = 0
        var running = 0
        var failed = 0

        /// Nix 2.34 counts a build that has just ended twice among the expected ones, for one record.
        mutating func take(_ numbers: [Int]) {
            guard numbers.count >= 4 else { return }
            let isEnding = numbers[0] > done && expected > 0
            expected = max(numbers[0], isEnding ? min(expected, numbers[1]) : numbers[1])
            (done, running, failed) = (numbers[0], numbers[2], numbers[3])
        }

        static func + (left: Count, right: Count) -> Count {
            Count(
                done: left.done + right.done, expected: left.expected + right.expected,
                running: left.running + right.running, failed: left.failed + right.failed)
        }
    }

    /// Nodes that are evaluated, by what we have Nix trace.
    var nodes = Count()
    /// Derivations.
    var builds = Count()
    /// Store paths that are fetched or copied.
    var copies = Count()
    /// Bytes that came over the network; `expectedBytes` is 0 where Nix does not know.
    var bytes = 0
    var expectedBytes = 0
    /// The build that began last of those that run, such as `hello-2.12`; with its phase where it told one.
    var current: String?
}
