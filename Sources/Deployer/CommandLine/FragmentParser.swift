/// Reads what stands after the `#` of a target: names with dots between them, each plain or a Nix string.
///
/// deploy-rs reads it with a Nix parser; plain names here are wider than Nix identifiers (`10-web`). Like that one it
/// reads scalars: a quote is a quote, whatever mark of Unicode's follows that would join it.
struct FragmentParser {
    private var rest: Substring.UnicodeScalarView
    private let whole: Substring
    private let target: String

    init(_ fragment: Substring, of target: String) {
        rest = fragment.unicodeScalars
        whole = fragment
        self.target = target
    }

    /// No name for an empty fragment, else one or two.
    mutating func names() throws(TargetError) -> [String] {
        if rest.isEmpty { return [] }
        var names = [try name()]
        while let separator = rest.popFirst() {
            guard separator == "." else { throw .unexpected(Character(separator), target) }
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
        let special = "#{}()[];=$\\/".unicodeScalars
        if let wrong = name.first(where: { $0.properties.isWhitespace || special.contains($0) }) {
            throw .unexpected(Character(wrong), target)
        }
        rest = rest.dropFirst(name.count)
        return String(name)
    }

    private mutating func quoted() throws(TargetError) -> String {
        rest.removeFirst()
        var name = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\"": return String(name)
            case "\\":
                guard let escaped = rest.popFirst() else { throw .openQuote(target) }
                name.append(Self.escapes[escaped] ?? escaped)
            case "$" where rest.first == "{": throw .interpolation(target)
            case "$" where rest.first == "$":
                // In Nix `$${` is no interpolation.
                rest.removeFirst()
                name.append(contentsOf: "$$".unicodeScalars)
            default: name.append(scalar)
            }
        }
        throw .openQuote(target)
    }

    private static let escapes: [Unicode.Scalar: Unicode.Scalar] = ["n": "\n", "r": "\r", "t": "\t"]

    private func suggestion(_ names: [String]) -> String {
        let prefix = target.dropLast(whole.count)
        let node = NixText.attribute(names.dropLast().joined(separator: "."))
        return prefix + node + "." + NixText.attribute(names.last ?? "")
    }
}
