import Shared

/// The axis of a timeline.
struct TimeScale: Sendable {
    private let total: Double
    private let step: Double

    init(_ total: Duration) {
        self.total = max(0.001, total.seconds)
        let steps: [Double] = [
            0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600,
        ]
        // Few enough that their labels do not meet.
        let least = self.total / 8
        step = steps.first { $0 >= least } ?? (least / 3600).rounded(.up) * 3600
    }

    /// Seconds with a label.
    var ticks: [Double] { (0...Int(total / step)).map { Double($0) * step } }

    func label(_ seconds: Double) -> String {
        step >= 60
            ? "\(Int(seconds / 60)) min" : step >= 1 ? "\(Int(seconds)) s" : "\(Int((seconds * 1000).rounded())) ms"
    }

    /// For a style attribute: from 0 to 100, two digits after the point.
    func percent(_ duration: Duration) -> String { percent(duration.seconds) }

    func percent(_ seconds: Double) -> String {
        let hundredths = Int((min(1, max(0, seconds / total)) * 10000).rounded())
        return "\(hundredths / 100).\(hundredths % 100 / 10)\(hundredths % 10)"
    }
}
