/// One word of a POSIX shell command line that the shell reads back as exactly these characters.
///
/// Words of harmless characters stay as they are; everything else is put in single quotes.
/// The caller rejects NUL, which no argument can hold.
public func shellQuoted(_ word: String) -> String {
    if !word.isEmpty && word.utf8.allSatisfy(isHarmless) { return word }
    return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
}

/// A POSIX shell command line that runs these words.
public func shellQuoted(_ words: [String]) -> String {
    words.map { shellQuoted($0) }.joined(separator: " ")
}

private func isHarmless(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: "+,-./:@_".utf8.contains(byte)
    }
}
