/// A generator whose numbers follow from its seed alone (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Makes new inputs out of known ones.
struct Mutator {
    /// Bytes that an input may grow to.
    static let limit = 64 << 10

    let corpus: [[UInt8]]
    /// What means something to the reader under test.
    let words: [[UInt8]]
    private var generator: SeededGenerator

    /// What breaks readers of any kind.
    private static let usual =
        [
            "", "\0", "\n", "\r\n", "\"", "\\", "\\u", "\\ud800", "{", "}", "[", "]", ",", ":", "#", "=", " ", "-",
            "-1", "0",
            "1e999", "9223372036854775807", "-9223372036854775808", "18446744073709551616", "null", "true", "\u{feff}",
            "\u{202e}", "é", "👩‍👩‍👧‍👦",
        ].map { Array($0.utf8) } + [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]

    /// - Parameter corpus: not empty
    init(_ corpus: [[UInt8]], words: [String], seed: UInt64) {
        self.corpus = corpus
        self.words = words.map { Array($0.utf8) } + Self.usual
        generator = SeededGenerator(seed: seed)
    }

    /// One input, a few changes away from a known one.
    mutating func next() -> [UInt8] {
        var bytes = known()
        for _ in 0..<Int.random(in: 1...6, using: &generator) { change(&bytes) }
        return Array(bytes.prefix(Self.limit))
    }

    private mutating func known() -> [UInt8] { corpus.randomElement(using: &generator) ?? [] }

    private mutating func change(_ bytes: inout [UInt8]) {
        let range = range(in: bytes)
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: bytes.removeSubrange(range)
        case 1: bytes.insert(contentsOf: word(), at: range.lowerBound)
        case 2: bytes.replaceSubrange(range, with: word())
        case 3:
            if !bytes.isEmpty { bytes[range.lowerBound % bytes.count] = .random(in: 0...255, using: &generator) }
        case 4:
            if !bytes.isEmpty {
                bytes[range.lowerBound % bytes.count] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            }
        case 5: repeatPart(range, of: &bytes)
        case 6:
            let other = known()
            bytes.replaceSubrange(range, with: other[self.range(in: other)])
        default: bytes.removeSubrange(range.lowerBound...)
        }
    }

    private mutating func word() -> [UInt8] { words.randomElement(using: &generator) ?? [] }

    private mutating func repeatPart(_ range: Range<Int>, of bytes: inout [UInt8]) {
        let part = Array(bytes[range])
        let times = min([1, 2, 16, 300, 5000].randomElement(using: &generator) ?? 1, Self.limit / max(1, part.count))
        bytes.insert(contentsOf: (0..<times).flatMap { _ in part }, at: range.upperBound)
    }

    /// Mostly short, now and then all of the rest.
    private mutating func range(in bytes: [UInt8]) -> Range<Int> {
        let start = Int.random(in: 0...bytes.count, using: &generator)
        let most = Bool.random(using: &generator) ? 8 : bytes.count
        return start..<min(bytes.count, start + Int.random(in: 0...most, using: &generator))
    }
}
