import Shared

/// Counts bytes, and how many came each second of late.
struct RateMeter: Sendable, Equatable {
    /// How far back the rate looks.
    private static let window = Duration.seconds(3)
    /// Two counts less apart than this become one, so that there are few.
    private static let grain = Duration.milliseconds(100)

    private struct Sample: Sendable, Equatable {
        var time: Duration
        var total: Int
    }

    private(set) var total = 0
    private var samples: [Sample] = []

    mutating func add(_ count: Int, at time: Duration) {
        if samples.isEmpty { samples.append(Sample(time: time, total: 0)) }
        total += count
        if let last = samples.last, samples.count > 1, time - last.time < Self.grain {
            samples[samples.count - 1].total = total
        } else {
            samples.append(Sample(time: time, total: total))
        }
        // One sample from before the window stays: it is what the rate is measured from.
        while samples.count > 2, time - samples[1].time > Self.window { samples.removeFirst() }
    }

    /// Bytes a second; nil before half a second of counting, and 0 once nothing came for a while.
    func rate(at time: Duration) -> Double? {
        guard let first = samples.first, let last = samples.last else { return nil }
        if time - last.time > Self.window { return 0 }
        let span = time - first.time
        return span < .milliseconds(500) ? nil : Double(total - first.total) / span.seconds
    }
}
