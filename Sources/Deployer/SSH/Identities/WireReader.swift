/// Reads the fields of an SSH message; nil where there are not enough bytes.
struct WireReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: some Collection<UInt8>) { rest = ArraySlice(bytes) }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func number() -> Int? {
        guard rest.count >= 4 else { return nil }
        let value = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(4)
        return value
    }

    mutating func string() -> ArraySlice<UInt8>? {
        var copy = self
        guard let count = copy.number(), copy.rest.count >= count else { return nil }
        rest = copy.rest.dropFirst(count)
        return copy.rest.prefix(count)
    }

    mutating func text() -> String? { string().map { String(decoding: $0, as: UTF8.self) } }
}

/// Writes the fields of an SSH message.
struct WireWriter {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ byte: UInt8) { bytes.append(byte) }

    mutating func add(number: Int) {
        for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    mutating func add(string: some Collection<UInt8>) {
        add(number: string.count)
        bytes += string
    }
}
