/// The words of `sshOpts`, read as `ssh` reads its command line.
struct SSHOptions {
    /// Options of `ssh` that take a value, in the word or in the next one.
    private static let withValue: Set<Character> = Set("BbcDEeFIiJLlmOoPpQRSWw")

    /// The last `-F FILE`; nil if there is none.
    private(set) var configurationFile: String?
    /// A word that is no option, where `ssh` would see the host.
    private(set) var strayWord: String?

    init(_ words: [String]) {
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("-"), word.count > 1 else {
                strayWord = word
                return
            }
            read(word.dropFirst(), &rest)
        }
    }

    private mutating func read(_ letters: Substring, _ rest: inout ArraySlice<String>) {
        var letters = letters
        while let letter = letters.popFirst() {
            guard Self.withValue.contains(letter) else { continue }
            let value = letters.isEmpty ? rest.popFirst() : String(letters)
            if letter == "F" { configurationFile = value }
            return
        }
    }
}
