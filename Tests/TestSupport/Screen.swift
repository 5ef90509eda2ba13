/// A terminal with what has scrolled off its top: enough of one to see what a person sees.
///
/// It knows the control sequences that `deploy` uses and wraps long lines; when its width changes, it wraps anew.
public struct Screen: Sendable {
    private struct Row: Sendable {
        var cells: [Character] = []
        /// Whether the text goes on in the next row.
        var isWrapped = false
    }

    public private(set) var columns: Int
    public let rows: Int
    /// Control sequences that it does not know.
    public private(set) var unknown: [String] = []
    private var all = [Row()]
    private var row = 0
    private var column = 0
    private var pending = ""
    private let width: @Sendable (Character) -> Int
    /// Stands in the second column of a wide character.
    private static let rest: Character = "\u{0}"

    /// - Parameter width: how many columns a character takes
    public init(columns: Int, rows: Int, width: @escaping @Sendable (Character) -> Int = { _ in 1 }) {
        self.columns = columns
        self.rows = rows
        self.width = width
    }

    /// Everything from the first line on, blanks at the ends of lines and empty lines at the end left out.
    public var text: String {
        var lines: [String] = []
        var line: [Character] = []
        for row in all {
            line += row.cells
            if row.isWrapped { continue }
            lines.append(Self.string(line))
            line = []
        }
        while lines.last == "" { lines.removeLast() }
        return lines.joined(separator: "\n")
    }

    public var lines: [String] {
        text.isEmpty ? [] : text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private static func string(_ cells: [Character]) -> String {
        var cells = cells.filter { $0 != rest }[...]
        while cells.last == " " { cells = cells.dropLast() }
        return String(cells)
    }

    /// Takes what a program writes, in whatever pieces.
    public mutating func write(_ text: String) {
        pending += text
        while let first = pending.first {
            if first == "\u{1b}" {
                guard let end = pending.dropFirst(2).firstIndex(where: { ("@"..."~").contains($0) }) else { return }
                control(String(pending[...end]))
                pending = String(pending[pending.index(after: end)...])
            } else {
                pending.removeFirst()
                put(first)
            }
        }
    }

    /// Changes the width; what has wrapped is put together and wrapped anew, and the cursor stays where it is in the text.
    public mutating func resize(columns: Int) {
        self.columns = columns
        let before = all
        let (cursorRow, cursorColumn) = (row, column)
        all = []
        var line: [Character] = []
        var cursor: Int?
        for (index, old) in before.enumerated() {
            if index == cursorRow { cursor = line.count + cursorColumn }
            line += old.cells
            if old.isWrapped { continue }
            let start = all.count
            repeat {
                let part = Array(line.prefix(columns))
                line.removeFirst(part.count)
                all.append(Row(cells: part, isWrapped: !line.isEmpty))
            } while !line.isEmpty
            if let place = cursor {
                row = start + place / columns
                column = place % columns
                cursor = nil
            }
        }
        while all.count <= row { all.append(Row()) }
    }

    private mutating func put(_ character: Character) {
        switch character {
        case "\r\n", "\n": newLine(isWrapped: false)
        case "\r": column = 0
        default:
            let width = width(character)
            if column + width > columns { newLine(isWrapped: true) }
            while all[row].cells.count < column + width { all[row].cells.append(" ") }
            all[row].cells[column] = character
            for place in 1..<max(1, width) { all[row].cells[column + place] = Self.rest }
            column += width
        }
    }

    private mutating func newLine(isWrapped: Bool) {
        all[row].isWrapped = isWrapped
        row += 1
        column = 0
        if row == all.count { all.append(Row()) }
    }

    private mutating func control(_ sequence: String) {
        let number = Int(sequence.dropFirst(2).dropLast()) ?? 1
        switch sequence.last {
        case "A": row = max(row - number, all.count - rows, 0)
        case "M":
            all.removeSubrange(row..<min(row + number, all.count))
            if row == all.count { all.append(Row()) }
        case "K" where sequence == "\u{1b}[K": all[row].cells = Array(all[row].cells.prefix(column))
        case "m": break
        default: unknown.append(sequence)
        }
    }
}
