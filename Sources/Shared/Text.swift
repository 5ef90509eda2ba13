/// The text without the white space at its ends.
public func trimmed(_ text: some StringProtocol) -> String {
    let start = text.drop { $0.isWhitespace }
    var end = start
    while let last = end.last, last.isWhitespace { end = end.dropLast() }
    return String(end)
}

/// The last lines of a text, oldest first; empty ones at its end left out.
public func lastLines(_ count: Int, of text: String) -> [String] {
    trimmed(text).split(separator: "\n", omittingEmptySubsequences: false).suffix(count).map(String.init)
}

/// Cuts a stream of bytes into lines of text, whatever pieces it arrives in.
///
/// A line longer than the limit is handed over in parts, so that a hostile sender cannot fill the memory.
public struct LineSplitter: Sendable {
    private var rest: [UInt8] = []
    private let limit: Int

    /// - Parameter limit: bytes, 1 or more
    public init(limit: Int = 1 << 20) { self.limit = limit }

    /// The lines that these bytes complete, without their line feeds; bytes that are not UTF-8 become U+FFFD.
    public mutating func add(_ bytes: some Sequence<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                lines.append(take())
            } else {
                rest.append(byte)
                if rest.count >= limit { lines.append(take()) }
            }
        }
        return lines
    }

    /// What is left without a line feed at the end of the stream; nil if nothing is.
    public mutating func finish() -> String? { rest.isEmpty ? nil : take() }

    private mutating func take() -> String {
        defer { rest.removeAll(keepingCapacity: true) }
        if rest.last == UInt8(ascii: "\r") { rest.removeLast() }
        return String(decoding: rest, as: UTF8.self)
    }
}
