#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Whether a node's Nix takes unsigned closures from a user, as far as its settings tell.
struct NixTrust: Sendable, Equatable {
    /// True for root, and where there is no daemon between the user and the store.
    var isOwner = false
    /// The user's name and groups, the groups as `@name`.
    var names: [String] = []
    /// `trusted-users`; nil if it could not be read.
    var trustedUsers: [String]?
    /// `trusted-public-keys`
    var keys: [String] = []

    /// Lines of the preflight's shell script, which has `say`; all the time is in one run of Nix, spared to root.
    static let questions = [
        "if [ -w /nix/var/nix/db ] || [ \"$(id -u)\" = 0 ]; then say trust owner; else",
        "say trust names $(id -un) $(id -Gn | sed 's/^/@/; s/ / @/g')",
        "show() { nix --extra-experimental-features nix-command \"$@\" 2>/dev/null; }",
        // The first is as old as 2.8, and deprecated since 2.20.
        "{ show show-config || show config show; } | while read -r key equals values; do",
        "case $key in trusted-users|trusted-public-keys) say trust $key $values ;; esac; done; fi",
    ]

    /// Takes one line of the answer.
    mutating func read(_ key: String, _ words: [String]) {
        switch key {
        case "owner": isOwner = true
        case "names": names = words
        case "trusted-users": trustedUsers = words
        case "trusted-public-keys": keys = words
        default: break
        }
    }

    /// Nil if the settings could not be read.
    var isTrusted: Bool? {
        if isOwner { return true }
        guard let trustedUsers else { return nil }
        return trustedUsers.contains("*") || !Set(names).isDisjoint(with: trustedUsers)
    }

    /// What to tell before anything is copied; nil if nothing stands in the way.
    ///
    /// - Parameter signing: file with the secret key that signs; nil if nothing is signed
    func warning(_ user: String, signing: String?, _ copier: Copier) -> (text: String, hint: String)? {
        guard isTrusted == false || (copier.checksSignatures && isTrusted != nil) else { return nil }
        let reason =
            copier.checksSignatures
            ? "--checksigs has the node check signatures"
            : "user \"\(user)\" is not among its Nix's trusted-users"
        let wanted = "\(reason): what is copied, unless its own caches have it, needs a signature that it knows"
        guard let signing else {
            return (
                wanted,
                "sign with LOCAL_KEY=<secret key file>, its public key in the node's trusted-public-keys"
                    + (copier.checksSignatures ? "" : "; or there: trusted-users = root \(user)")
            )
        }
        // The owner's settings were not read.
        guard !isOwner, let key = NixTrust.publicKey(of: signing), !keys.contains(key) else { return nil }
        return ("\(wanted), and that of LOCAL_KEY is not", "in the node's nix.conf: extra-trusted-public-keys = \(key)")
    }

    /// The public key in a secret key file, `name:base64`; nil where the file is none.
    static func publicKey(of file: String) -> String? {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        let parts = text.split(whereSeparator: \.isWhitespace).first?.split(separator: ":", maxSplits: 1) ?? []
        // libsodium's secret key: 32 bytes of seed, then the public key.
        guard parts.count == 2, let bytes = Data(base64Encoded: String(parts[1])), bytes.count == 64 else { return nil }
        return "\(parts[0]):\(Data(bytes.suffix(32)).base64EncodedString())"
    }
}
