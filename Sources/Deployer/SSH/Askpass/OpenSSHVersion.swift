import Shared

/// The version of the system's `ssh`.
struct OpenSSHVersion: Sendable, Comparable {
    let major: Int
    let minor: Int

    init(_ major: Int, _ minor: Int) { (self.major, self.minor) = (major, minor) }

    /// Reads what `ssh -V` prints: `OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL …`.
    init?(_ text: String) {
        guard let name = text.firstRange(of: "OpenSSH_") else { return nil }
        let numbers = text[name.upperBound...].prefix { $0.isNumber || $0 == "." }.split(separator: ".")
        guard numbers.count >= 2, let major = Int(numbers[0]), let minor = Int(numbers[1]) else { return nil }
        self.init(major, minor)
    }

    /// From here on a question that starts with no host's name in parentheses is `ssh`'s own, not a server's.
    static let namesHosts = OpenSSHVersion(8, 5)

    static func < (a: OpenSSHVersion, b: OpenSSHVersion) -> Bool { (a.major, a.minor) < (b.major, b.minor) }

    /// Asks the `ssh` in PATH; an unknown one counts as old.
    static func ofSystem(_ environment: [String: String]) async throws -> OpenSSHVersion {
        let result = try await LocalCommand(["ssh", "-V"], environment: environment).run(timeLimit: .seconds(5))
        return OpenSSHVersion(result.errorText) ?? OpenSSHVersion(0, 0)
    }
}
