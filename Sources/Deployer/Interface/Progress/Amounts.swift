import Shared

/// Bytes for people: `512 B`, `14.2 MiB`.
func bytesText(_ count: Int) -> String {
    var value = Double(count)
    var units = ["KiB", "MiB", "GiB", "TiB"][...]
    guard count >= 1024 else { return "\(count) B" }
    var unit = ""
    repeat {
        value /= 1024
        unit = units.removeFirst()
    } while value >= 999.95 && !units.isEmpty
    return "\(tenths(value)) \(unit)"
}

/// A duration for people: `12 s`, `3 min 05 s`, `2 h 03 min`.
func durationText(_ duration: Duration) -> String {
    let seconds = Int(max(0, duration.seconds))
    if seconds < 60 { return "\(seconds) s" }
    if seconds < 3600 { return "\(seconds / 60) min \(twoDigits(seconds % 60)) s" }
    return "\(seconds / 3600) h \(twoDigits(seconds / 60 % 60)) min"
}

/// A duration that has ended: as above, but `1.2 s` and `0.04 s`.
func preciseText(_ duration: Duration) -> String {
    let seconds = max(0, duration.seconds)
    if seconds >= 59.95 { return durationText(duration) }
    return seconds < 0.995 ? "0.\(twoDigits(Int((seconds * 100).rounded()))) s" : "\(tenths(seconds)) s"
}

private func tenths(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
}

private func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
