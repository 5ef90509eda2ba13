/// Cuts a command line into options with their values, targets and what stands after `--`.
struct OptionScanner {
    struct Occurrence: Sendable, Equatable {
        var option: OptionName
        /// Empty for an option without value.
        var value: String
    }

    private(set) var command = Options.Command.deploy
    private(set) var occurrences: [Occurrence] = []
    private(set) var targets: [String] = []
    private(set) var hasPlainTarget = false
    private(set) var nixArguments: [String] = []
    private var rest: ArraySlice<String>

    init(_ words: [String]) {
        rest = words[...]
        if rest.first == "status" {
            command = .status
            rest.removeFirst()
        }
    }

    /// Reads all words, or up to `--help` or `--version`, which win over whatever comes after them.
    mutating func scan() throws(UsageError) {
        while let word = rest.popFirst() {
            if word == "--" {
                nixArguments = Array(rest)
                return
            }
            if word.hasPrefix("--") {
                try readLong(word)
            } else if word.hasPrefix("-") && word != "-" {
                try readCluster(word)
            } else {
                try readTarget(word)
            }
            if command == .help || command == .version { return }
        }
    }

    private mutating func readTarget(_ word: String) throws(UsageError) {
        if hasPlainTarget { throw .extraTarget(word) }
        hasPlainTarget = true
        targets.append(word)
    }

    private mutating func readLong(_ word: String) throws(UsageError) {
        let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts.first ?? "")
        guard let option = OptionName(rawValue: name) else {
            throw .unknownOption("--\(name)", nearest: nearest(to: name, among: OptionName.allCases.map(\.rawValue)))
        }
        try read(option, attached: parts.count > 1 ? String(parts[1]) : nil)
    }

    /// `-dis`, `-fFILE`, `-f=FILE`, `-df FILE`.
    private mutating func readCluster(_ word: String) throws(UsageError) {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = OptionName.allCases.first(where: { $0.short == letter }) else {
                let name = String(word.dropFirst())
                let known = OptionName.allCases.map(\.rawValue)
                throw .unknownOption("-\(letter)", nearest: name.count > 2 ? nearest(to: name, among: known) : nil)
            }
            if case .none = option.value {
                if letters.first == "=" { throw .unexpectedValue(option.long) }
                try read(option, attached: nil)
            } else {
                if letters.first == "=" { letters.removeFirst() }
                return try read(option, attached: letters.isEmpty ? nil : String(letters))
            }
        }
    }

    private mutating func read(_ option: OptionName, attached: String?) throws(UsageError) {
        switch option.value {
        case .none:
            if attached != nil { throw .unexpectedValue(option.long) }
            occurrences.append(Occurrence(option: option, value: ""))
            if option == .help { command = .help }
            if option == .version { command = .version }
        case .word, .anyWord:
            if occurrences.contains(where: { $0.option == option }) { throw .repeated(option.long) }
            occurrences.append(Occurrence(option: option, value: try value(attached, of: option)))
        case .optional(let ending):
            if occurrences.contains(where: { $0.option == option }) { throw .repeated(option.long) }
            if attached == "" { throw .invalidValue(option.long, "", expected: "a file name") }
            occurrences.append(Occurrence(option: option, value: attached ?? takeNext(ending: ending)))
        case .words:
            var words = [try value(attached, of: option)]
            while attached == nil, let next = rest.first, !next.hasPrefix("-") {
                words.append(next)
                rest.removeFirst()
            }
            occurrences.append(Occurrence(option: option, value: ""))
            targets += words
        }
    }

    /// Empty if the next word is something else.
    private mutating func takeNext(ending: String) -> String {
        guard let next = rest.first, next.hasSuffix(ending), !next.hasPrefix("-") else { return "" }
        rest.removeFirst()
        return next
    }

    private mutating func value(_ attached: String?, of option: OptionName) throws(UsageError) -> String {
        if let attached { return attached }
        guard let next = rest.first, next != "--" else { throw .missingValue(option.long, found: nil) }
        if case .anyWord = option.value {
        } else if next.hasPrefix("-") && next != "-" {
            throw .missingValue(option.long, found: next)
        }
        rest.removeFirst()
        return next
    }
}
