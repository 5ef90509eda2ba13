/// Values as Nix source.
enum NixText {
    /// A string literal that evaluates to exactly this text; NUL is the caller's to refuse.
    static func string(_ text: String) -> String {
        var literal = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\", "$": literal += "\\\(scalar)"
            case "\n": literal += "\\n"
            case "\r": literal += "\\r"
            case "\t": literal += "\\t"
            default: literal.unicodeScalars.append(scalar)
            }
        }
        return literal + "\""
    }

    /// An attribute name as it stands in an attribute path: quoted unless it is a plain identifier.
    static func attribute(_ name: String) -> String {
        isIdentifier(name) ? name : string(name)
    }

    static func attributePath(_ names: [String]) -> String {
        names.map(attribute).joined(separator: ".")
    }

    static func list(_ texts: [String]) -> String {
        "[ " + texts.map { string($0) + " " }.joined() + "]"
    }

    private static func isIdentifier(_ name: String) -> Bool {
        guard let first = name.utf8.first, isLetter(first) else { return false }
        return name.utf8.allSatisfy { isLetter($0) || (48...57).contains($0) || $0 == 0x27 || $0 == 0x2d }
    }

    /// Letters and the underscore.
    private static func isLetter(_ byte: UInt8) -> Bool {
        (65...90).contains(byte) || (97...122).contains(byte) || byte == 0x5f
    }
}
