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
    }
    private let facts = Mutex(Facts())

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

    /// Forgets a secret that was wrong.
    func forget(_ name: String) { facts.withLock { $0.secrets[name] = nil } }

    func key(for destination: String) -> PublicKey? { facts.withLock { $0.keys[destination] } }

    func remember(_ key: PublicKey, for destination: String) { facts.withLock { $0.keys[destination] = key } }

    /// Why this server was found to need the system's `ssh`; nil if it was not.
    func reasonForSystemSSH(_ server: String) -> String? { facts.withLock { $0.reasonsForSystemSSH[server] } }

    func needSystemSSH(_ server: String, because reason: String) {
        facts.withLock { $0.reasonsForSystemSSH[server] = reason }
    }
}
