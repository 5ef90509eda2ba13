import Shared
import Synchronization

/// `--compress`: whether what goes to a node is compressed on the way.
enum Compression: String, Sendable, CaseIterable {
    /// As the SSH configuration says, and where a copy turns out to be slow.
    case auto
    case on
    case off

    /// What a connection's own setting comes to.
    func applied(to isSet: Bool) -> Bool {
        switch self {
        case .auto: isSet
        case .on: true
        case .off: false
        }
    }
}

/// A copy over a link on which compressed bytes would arrive earlier; it is to be begun anew.
struct SlowLink: Error {
    let bytesPerSecond: Int
}

/// Notices slow links by how much the copies of a run get through.
///
/// What counts is the sum of all nodes: where it is low, neither this machine's processors nor its own link to many nodes is
/// what they wait for, unless that is slow itself.
final class LinkMeter: Sendable {
    /// Bytes a second below which zlib pays; by itself it does 15 MB/s on one processor, at a third of the bytes.
    private static let slow = 6_000_000
    private static let interval = Duration.milliseconds(500)
    private static let intervals = 4

    private let total = Mutex(0)

    /// Notes bytes that went to any node.
    func add(_ count: Int) { total.withLock { $0 += count } }

    /// Watches one copy.
    ///
    /// - Parameter sent: its bytes so far
    /// - Throws: ``SlowLink`` after two seconds in which it never paused; `CancellationError`
    func watch(_ sent: @Sendable () -> Int) async throws -> Never {
        var samples: [(own: Int, all: Int)] = []
        while true {
            samples = samples.suffix(Self.intervals) + [(sent(), total.withLock { $0 })]
            let isBusy = zip(samples, samples.dropFirst()).allSatisfy { $0.own < $1.own }
            if samples.count > Self.intervals, isBusy, let first = samples.first, let last = samples.last {
                let rate = Double(last.all - first.all) / (Self.interval * Self.intervals).seconds
                if rate < Double(Self.slow) { throw SlowLink(bytesPerSecond: Int(rate)) }
            }
            try await ContinuousClock().sleep(for: Self.interval)
        }
    }
}
