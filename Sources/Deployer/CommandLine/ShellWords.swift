/// The words that a POSIX shell would make of a text: blanks separate, quotes and backslashes join.
///
/// Nothing is expanded: `$`, `*` and `~` stand for themselves.
///
/// - Returns: nil where a quote has no end, or a backslash nothing after it
func shellWords(_ text: String) -> [String]? {
    var splitter = ShellWordSplitter(text)
    return splitter.words()
}

private struct ShellWordSplitter {
    private var rest: Substring.UnicodeScalarView
    private var found: [String] = []
    /// The word at hand; nil between words.
    private var word: String.UnicodeScalarView?

    init(_ text: String) { rest = text.unicodeScalars[...] }

    mutating func words() -> [String]? {
        while let scalar = rest.popFirst() {
            switch scalar {
            case " ", "\t", "\n": endWord()
            case "'": guard readSingleQuoted() else { return nil }
            case "\"": guard readDoubleQuoted() else { return nil }
            case "\\":
                guard let next = rest.popFirst() else { return nil }
                if next != "\n" { append(next) }
            default: append(scalar)
            }
        }
        endWord()
        return found
    }

    private mutating func endWord() {
        if let word { found.append(String(word)) }
        word = nil
    }

    private mutating func append(_ scalar: Unicode.Scalar?) {
        var longer = word ?? String.UnicodeScalarView()
        if let scalar { longer.append(scalar) }
        word = longer
    }

    private mutating func readSingleQuoted() -> Bool {
        append(nil)
        while let scalar = rest.popFirst() {
            if scalar == "'" { return true }
            append(scalar)
        }
        return false
    }

    private mutating func readDoubleQuoted() -> Bool {
        append(nil)
        while let scalar = rest.popFirst() {
            if scalar == "\"" { return true }
            guard scalar == "\\" else {
                append(scalar)
                continue
            }
            guard let next = rest.popFirst() else { return false }
            if !"\"\\$`".unicodeScalars.contains(next) { append(scalar) }
            append(next)
        }
        return false
    }
}
