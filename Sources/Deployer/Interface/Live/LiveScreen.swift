/// What stands at the end of a terminal's text, and the bytes that change it.
///
/// The cursor always stays on the empty line below the live lines, visible, and the terminal is left in its own mode: whatever
/// ends the program, there is nothing to put back.
struct LiveScreen: Sendable {
    private var drawn: [String] = []

    /// Bytes that put text lines above the live lines, and bring these up to date; empty if nothing changes.
    ///
    /// - Parameters:
    ///   - text: lines that stay, of any width, without line feeds
    ///   - live: lines that fit into ``size``
    mutating func update(text: [String] = [], live: [String], _ size: ScreenSize) -> String {
        if text.isEmpty && live == drawn { return "" }
        let isSame = text.isEmpty && live.count == drawn.count && rowsDrawn(size) == drawn.count
        var bytes = isSame ? up(rowsDrawn(size)) : erasing(size)
        for line in text { bytes += line + "\n" }
        for (index, line) in live.enumerated() {
            // A line that is the same is left as it is, so that nothing flickers.
            if isSame && drawn[index] == line {
                bytes += "\n"
            } else {
                bytes += (isSame ? "\u{1b}[K" : "") + line + "\n"
            }
        }
        drawn = live
        return bytes
    }

    /// Bytes that take the live lines away.
    mutating func erase(_ size: ScreenSize) -> String {
        let bytes = erasing(size)
        drawn = []
        return bytes
    }

    /// Takes what stands there for text: somebody else has written below it.
    mutating func forget() { drawn = [] }

    /// The lines are deleted: tmux keeps what is cleared from the top of the screen on in its history.
    private func erasing(_ size: ScreenSize) -> String {
        let rows = rowsDrawn(size)
        return rows == 0 ? "" : up(rows) + "\u{1b}[\(rows)M"
    }

    private func up(_ rows: Int) -> String { rows == 0 ? "" : "\r\u{1b}[\(rows)A" }

    /// How many rows the drawn lines take: a terminal that became narrower has wrapped them.
    private func rowsDrawn(_ size: ScreenSize) -> Int {
        let columns = max(1, size.columns)
        return min(
            drawn.reduce(0) { $0 + max(1, (displayWidth($1) + columns - 1) / columns) }, max(0, size.rows - 1))
    }
}
