/// Reads what stands after the `#` of a target: names with dots between them, each plain or a Nix string.
///
/// deploy-rs reads it with a Nix parser; plain names here are wider than Nix identifiers (`10-web`).
struct FragmentParser {
    private var rest: Substring
    private let whole: Substring
    private let target: String

    init(_ fragment: Substring, of target: String) {
        rest = fragment
        whole = fragment
        self.target = target
    }

    /// No name for an empty fragment, else one or two.
    mutating func names() throws(TargetError) -> [String] {
        if rest.isEmpty { return [] }
        var names = [try name()]
        while let separator = rest.popFirst() {
            guard separator == "." else { throw .unexpected(separator, target) }
            names.append(try name())
        }
        guard names.count <= 2 else { throw .tooManyParts(target, suggestion: suggestion(names)) }
        return names
    }

    private mutating func name() throws(TargetError) -> String {
        let name = rest.first == "\"" ? try quoted() : try plain()
        if name.isEmpty { throw .emptyName(target) }
        return name
    }

    private mutating func plain() throws(TargetError) -> String {
        let name = rest.prefix { $0 != "." && $0 != "\"" }
        if let wrong = name.first(where: { $0.isWhitespace || "#{}()[];=$\\/".contains($0) }) {
            throw .unexpected(wrong, target)
        }
        rest = rest.dropFirst(name.count)
        return String(name)
    }

    private mutating func quoted() throws(TargetError) -> String {
        rest.removeFirst()
        var name = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return name
            case "\\":
                guard let escaped = rest.popFirst() else { throw .openQuote(target) }
                name.append(Self.escapes[escaped] ?? escaped)
            case "$" where rest.first == "{": throw .interpolation(target)
            case "$" where rest.first == "$":
                // In Nix `$${` is no interpolation.
                rest.removeFirst()
                name += "$$"
            default: name.append(character)
            }
        }
        throw .openQuote(target)
    }

    private static let escapes: [Character: Character] = ["n": "\n", "r": "\r", "t": "\t"]

    private func suggestion(_ names: [String]) -> String {
        let prefix = target.dropLast(whole.count)
        let node = NixText.attribute(names.dropLast().joined(separator: "."))
        return prefix + node + "." + NixText.attribute(names.last ?? "")
    }
}
