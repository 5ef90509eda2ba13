import Shared

/// A line of a known_hosts file that names our host.
struct KnownHost: Sendable, Equatable {
    enum Mark: Sendable, Equatable { case none, revoked, authority }

    let file: String
    let line: Int
    let mark: Mark
    let key: PublicKey

    /// For messages: `/home/me/.ssh/known_hosts:12`.
    var place: String { "\(file):\(line)" }
}

/// The user's and the system's known_hosts files, searched by `ssh-keygen`, which reads all that `ssh` reads.
struct KnownHosts: Sendable {
    var userFiles: [String]
    var globalFiles: [String]
    var environment: [String: String]
    /// Spares looking for a name again in a file that has not changed.
    var memory = KnownHostsMemory()

    /// All lines for this name, from all files, the user's first.
    ///
    /// - Throws: ``LocalCommandError`` where there is no `ssh-keygen`; `CancellationError`
    func lines(for name: String) async throws -> [KnownHost] {
        var lines: [KnownHost] = []
        for file in userFiles + globalFiles where isFile(file) {
            // Before it is read: a change meanwhile then shows the next time.
            let version = FileVersion(of: file)
            if let known = memory.lines(name, file, version) {
                lines += known
                continue
            }
            let command = LocalCommand(["ssh-keygen", "-F", name, "-f", file], environment: environment)
            // Its exit status says no more than that there are none.
            let result = try await command.run(outputLimit: 4 << 20, timeLimit: .seconds(10))
            let found = KnownHosts.parse(result.text, file: file)
            memory.remember(found, name, file, version)
            lines += found
        }
        return lines
    }

    /// Reads what `ssh-keygen -F` prints: `# Host NAME found: line 12`, then the line itself.
    static func parse(_ text: String, file: String) -> [KnownHost] {
        var number = 0
        return text.split(whereSeparator: \.isNewline).compactMap { line in
            if line.hasPrefix("#") {
                number = numberOfLine(line) ?? number
                return nil
            }
            var fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" })[...]
            var mark = KnownHost.Mark.none
            if let first = fields.first, first.hasPrefix("@") {
                mark = first == "@revoked" ? .revoked : .authority
                fields = fields.dropFirst()
            }
            fields = fields.dropFirst()
            guard fields.count >= 2, let key = PublicKey(base64: fields[fields.startIndex + 1]) else { return nil }
            return KnownHost(file: file, line: number, mark: mark, key: key)
        }
    }

    private static func numberOfLine(_ comment: Substring) -> Int? {
        guard let range = comment.firstRange(of: "found: line ") else { return nil }
        return Int(comment[range.upperBound...].prefix { $0.isNumber })
    }
}
