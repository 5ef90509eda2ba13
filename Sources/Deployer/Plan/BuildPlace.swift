/// Where a profile's closure is built.
enum BuildPlace: Sendable, Equatable {
    /// `local`
    case here
    /// `target`
    case node
    /// Any other machine with Nix and SSH.
    case host(Destination)

    /// Reads `buildOn`, whose form ``reason(against:)`` has no objection to.
    ///
    /// - Parameter user: who logs in where the text names nobody
    init(_ text: String, as user: String) {
        switch text {
        case "local": self = .here
        case "target": self = .node
        default:
            let parts = text.split(separator: "@", maxSplits: 1).map(String.init)
            let host = parts.last ?? text
            self = .host(Destination(host: host, user: parts.count > 1 ? parts[0] : user, options: []))
        }
    }

    /// Why a text says no place; nil if it does.
    static func reason(against text: String) -> String? {
        for part in text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false) {
            if let reason = Rules.plainName(String(part)) { return reason }
        }
        return nil
    }

    var host: Destination? {
        if case .host(let destination) = self { destination } else { nil }
    }
}
