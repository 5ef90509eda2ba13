import Shared
import Synchronization

/// What earlier logins of this process taught: secrets that were typed, and the key that each server took.
///
/// The confirmation's fresh login never asks again, and offers the right key first.
final class LoginMemory: Sendable {
    private struct Facts {
        var secrets: [String: Secret] = [:]
        var keys: [String: PublicKey] = [:]
        var reasonsForSystemSSH: [String: String] = [:]
        var version: OpenSSHVersion?
        var hasKerberosTicket: Bool?
        /// Accounts of servers that want each request answered before the next.
        var stepByStep: Set<String> = []
    }
    private let facts = Mutex(Facts())
    /// Held by a login that may ask, so that no other one's time runs out at the server while it waits for its turn.
    let questions = AsyncLock()

    /// The secret for this name, remembered or asked for; nil if there is nobody to ask.
    ///
    /// While one connection asks, another that needs the same secret waits, and then finds it.
    func secret(_ name: String, _ question: Question, _ prompter: any Prompter) async throws -> Secret? {
        try await prompter.terminal.withLock {
            if let known = facts.withLock({ $0.secrets[name] }) { return known }
            guard let answer = try await prompter.askNow(question) else { return nil }
            facts.withLock { $0.secrets[name] = answer }
            return answer
        }
    }

    /// Forgets a secret that was wrong, unless another has taken its place meanwhile.
    func forget(_ name: String, _ wrong: Secret) {
        facts.withLock { facts in
            if facts.secrets[name]?.bytes == wrong.bytes { facts.secrets[name] = nil }
        }
    }

    /// The name of a key file's passphrase, which is the same for every server.
    static func passphrase(_ path: String) -> String { "passphrase \(path)" }

    /// The remembered secret; nil if there is none.
    func known(_ name: String) -> Secret? { facts.withLock { $0.secrets[name] } }

    func knows(_ name: String) -> Bool { known(name) != nil }

    /// The version of the system's `ssh`, which is asked once.
    func version(_ environment: [String: String]) async throws -> OpenSSHVersion {
        if let known = facts.withLock({ $0.version }) { return known }
        let version = try await OpenSSHVersion.ofSystem(environment)
        facts.withLock { $0.version = version }
        return version
    }

    /// Whether there is a Kerberos ticket, which is found out once.
    func hasKerberosTicket(_ find: () async throws -> Bool) async throws -> Bool {
        if let known = facts.withLock({ $0.hasKerberosTicket }) { return known }
        let hasOne = try await find()
        facts.withLock { $0.hasKerberosTicket = hasOne }
        return hasOne
    }

    /// Whether logins to an account send nothing before the last request is answered.
    func goesStepByStep(_ account: String) -> Bool { facts.withLock { $0.stepByStep.contains(account) } }

    func goStepByStep(_ account: String) { facts.withLock { _ = $0.stepByStep.insert(account) } }

    func key(for destination: String) -> PublicKey? { facts.withLock { $0.keys[destination] } }

    func remember(_ key: PublicKey, for destination: String) { facts.withLock { $0.keys[destination] = key } }

    /// Why this server was found to need the system's `ssh`; nil if it was not.
    func reasonForSystemSSH(_ server: String) -> String? { facts.withLock { $0.reasonsForSystemSSH[server] } }

    func needSystemSSH(_ server: String, because reason: String) {
        facts.withLock { $0.reasonsForSystemSSH[server] = reason }
    }
}
