import Shared

/// Where a profile's link is, as a plain shell on the node finds it: for agents that cannot be asked.
struct ProfileLook: Sendable, Equatable {
    /// Nil if there is no link.
    var generation: Generation?
    /// Changes whenever the link is replaced, even by one that says the same; empty if there is no link.
    var stamp: String
    /// Absolute path of the link.
    var link = ""
}

/// The plain shell command that looks, as the profile's user.
struct ProfileLookQuery: Sendable {
    let location: ProfileLocation
    /// In front of every line of the answer.
    let marker: String
    /// Absolute path of a file to remove first; none if nil.
    var removing: String?

    var words: [String] { ["sh", "-c", script] }

    private var script: String {
        let lines = [
            #"say() { printf '%s %s\n' \#(shellQuoted(marker)) "$*"; }"#,
            removing.map { "rm -f \(shellQuoted($0)) || exit" } ?? ":",
            findLink,
            "first=$(readlink \"$link\")",
            // A relative link is one from its own folder.
            "case $first in ''|/*) ;; *) first=${link%/*}/$first ;; esac",
            "second=$(readlink \"$first\") || second=$first",
            // In GNU's words, then in BSD's.
            "stamp=$(stat -c '%i %z' \"$link\" 2>/dev/null || stat -f '%i %Fc' \"$link\" 2>/dev/null)",
            #"say name "${first##*/}"; say link "$link"; say path "$second"; say stamp "$stamp"; say end"#,
        ]
        return lines.joined(separator: "\n")
    }

    /// As `get_profile_path` in deploy-rs's src/bin/activate.rs.
    private var findLink: String {
        switch location {
        case .path(let path): return "link=\(shellQuoted(path))"
        case .named(let user, let name):
            let profiles = "\"${NIX_STATE_DIR:-/nix/var/nix}\"/profiles"
            let link = "/\(shellQuoted(name))"
            if user == "root" { return "link=\(profiles)\(name == "system" ? "" : "/per-user/root")\(link)" }
            let old = "\(profiles)/per-user/\(shellQuoted(user))"
            return "if [ -e \(old) ]; then link=\(old)\(link); "
                + "else link=\"${XDG_STATE_HOME:-$HOME/.local/state}\"/nix/profiles\(link); fi"
        }
    }

    /// Reads the answer; nil where the shell did not get to its end.
    func parse(_ text: String) -> ProfileLook? {
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix(marker + " ") {
            let parts = line.dropFirst(marker.count + 1).split(separator: " ", maxSplits: 1)
            if let key = parts.first { values[String(key)] = parts.count > 1 ? String(parts[1]) : "" }
        }
        guard values["end"] != nil, let path = values["path"], let name = values["name"] else { return nil }
        let link = values["link"] ?? ""
        let stamp = trimmed(values["stamp"] ?? "")
        guard !path.isEmpty else { return ProfileLook(generation: nil, stamp: stamp, link: link) }
        let generation = Generation(number: number(name, of: baseName(link)), path: path)
        return ProfileLook(generation: generation, stamp: stamp, link: link)
    }

    /// The number in `<link>-<number>-link`.
    private func number(_ name: String, of link: String) -> Int? {
        guard name.hasPrefix(link + "-"), name.hasSuffix("-link") else { return nil }
        return Int(name.dropFirst(link.count + 1).dropLast("-link".count))
    }
}
