/// The known name that a mistyped one most likely means; nil where none is near.
///
/// Case does not count, and two neighboring letters swapped are one mistake.
func nearest(to name: String, among known: some Sequence<String>) -> String? {
    let letters = Array(name.lowercased().unicodeScalars)
    guard !letters.isEmpty, letters.count <= 64 else { return nil }
    let limit = max(1, letters.count / 3)
    var best: (name: String, distance: Int)?
    for candidate in known {
        let distance = editDistance(letters, Array(candidate.lowercased().unicodeScalars))
        if distance <= limit && distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.name
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbor.
private func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for (row, letter) in left.enumerated() {
        var current = [row + 1]
        for (column, other) in right.enumerated() {
            var cost = min(previous[column] + (letter == other ? 0 : 1), previous[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                cost = min(cost, beforePrevious[column - 1] + 1)
            }
            current.append(cost)
        }
        beforePrevious = previous
        previous = current
    }
    return previous[right.count]
}

/// Names in a sentence: `"a", "b" and "c"`; of many only the first.
func listed(_ names: [String], limit: Int = 8) -> String {
    let quoted = names.map { "\"\($0)\"" }
    if quoted.count > limit {
        return quoted.prefix(limit).joined(separator: ", ") + " and \(quoted.count - limit) more"
    }
    guard let last = quoted.last, quoted.count > 1 else { return quoted.first ?? "none" }
    return quoted.dropLast().joined(separator: ", ") + " and " + last
}
