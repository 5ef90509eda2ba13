import CLibSSH2
import Shared

/// What a login needs to know.
struct Login: Sendable {
    let configuration: SSHConfiguration
    let identities: Identities
    let memory: LoginMemory
    let prompter: any Prompter
    /// False for a host in doubt: it gets no password, and no answers to its questions.
    let mayUseSecrets: Bool
    /// Keys that this server has refused on an earlier connection of the same login.
    var refused: [Candidate] = []

    /// Time for one question to the server; a person's answers are not counted.
    static let answerLimit = Duration.seconds(30)

    /// Name under which secrets and keys are remembered.
    var account: String { configuration.account }

    /// A key to offer before asking what the server accepts, which spares a round trip when it is the right one.
    var likelyKey: Candidate? {
        guard methods.first == "publickey" else { return nil }
        guard let candidate = identities.candidates.first(where: { !refused.contains($0) }) else { return nil }
        if case .file(_, isEncrypted: true) = candidate.source { return nil }
        // A wrong guess costs two of the tries that the server allows, six as a rule.
        return isSure(candidate) || identities.candidates.count <= 3 ? candidate : nil
    }

    /// True for the key with which the last login to this account has succeeded, and with nothing else besides.
    func isSure(_ candidate: Candidate) -> Bool { candidate.key != nil && candidate.key == memory.key(for: account) }

    var methods: [String] {
        mayUseSecrets ? configuration.methods : configuration.methods.filter { $0 == "publickey" }
    }
}

/// How a login failed.
struct LoginFailure: Error {
    /// What was tried, for people.
    var tried: [String]
    /// Adds to what was tried last why that went no further.
    mutating func note(_ reason: String) {
        let last = tried.popLast() ?? ""
        tried.append("\(last) (\(reason))")
    }

    /// Keys that were offered.
    var offered: [Candidate]
    /// The server ended the connection after too many tries: another one may go on with the rest.
    var mayGoOn: Bool
    /// What the server accepts, as far as it said.
    var accepted: [String]
}

/// What came of one method or key.
enum LoginStep {
    case accepted
    case refused
    /// A proof was given and not enough: the server may want another one besides.
    case notEnough
}

extension LibSSH2Session {
    /// Logs in, with the methods and in the order that `ssh` would use.
    ///
    /// - Throws: ``LoginFailure``; ``SSHError``; `CancellationError`
    func logIn(_ login: Login) async throws {
        var progress = LoginFailure(tried: [], offered: [], mayGoOn: false, accepted: [])
        do {
            try await logIn(login, &progress)
        } catch let error as SSHError {
            // The server said good-bye after too many tries; without its word the connection was lost.
            guard !progress.offered.isEmpty, case .lost = error, handle?.disconnectText.isEmpty == false else {
                throw error
            }
            progress.mayGoOn = true
            throw progress
        }
    }

    private func logIn(_ login: Login, _ progress: inout LoginFailure) async throws {
        if let likely = login.likelyKey, case .accepted = try await offer(likely, login, &progress) { return }
        guard var accepted = try await acceptedMethods(login) else { return }
        var methods = login.methods
        while let method = methods.first(where: { accepted.contains($0) }) {
            progress.accepted = accepted
            methods.removeAll { $0 == method }
            switch try await attempt(method, login, &progress) {
            case .accepted: return
            case .refused: break
            case .notEnough:
                guard let more = try await acceptedMethods(login) else { return }
                accepted = more
            }
        }
        progress.accepted = accepted
        throw progress
    }

    private func attempt(_ method: String, _ login: Login, _ progress: inout LoginFailure) async throws -> LoginStep {
        switch method {
        case "publickey": return try await offerKeys(login, &progress)
        case "keyboard-interactive": return try await answerQuestions(login, &progress)
        default: return try await sendPassword(login, &progress)
        }
    }

    /// The methods that the server accepts now; nil if it already let us in.
    private func acceptedMethods(_ login: Login) async throws -> [String]? {
        let user = login.configuration.user
        var list: String?
        let code = try await complete("asking how to log in", within: Login.answerLimit) { raw in
            guard let text = libssh2_userauth_list(raw, user, UInt32(user.utf8.count)) else {
                return libssh2_userauth_authenticated(raw) != 0 ? 0 : Int(libssh2_session_last_errno(raw))
            }
            list = String(cString: text)
            return 0
        }
        guard code == 0 else { throw failure("asking how to log in", code) }
        return list.map { $0.split(separator: ",").map(String.init) }
    }

    private func offerKeys(_ login: Login, _ progress: inout LoginFailure) async throws -> LoginStep {
        for candidate in login.identities.candidates {
            if login.refused.contains(candidate) || progress.offered.contains(candidate) { continue }
            let step = try await offer(candidate, login, &progress)
            if step != .refused { return step }
        }
        return .refused
    }

    private func offer(
        _ candidate: Candidate, _ login: Login, _ progress: inout LoginFailure
    ) async throws -> LoginStep {
        progress.tried.append(candidate.name)
        progress.offered.append(candidate)
        let step: LoginStep
        // Compression would begin between the two.
        if login.isSure(candidate), !login.configuration.compresses, !login.memory.goesStepByStep(login.account) {
            step = try await offerWithChannel(candidate, login)
        } else {
            step = try await offer(candidate, login)
        }
        if step == .accepted, let key = candidate.key { login.memory.remember(key, for: login.account) }
        // The server said good-bye within the call, which reports no more than a refusal.
        if step != .accepted, handle?.disconnectText.isEmpty == false {
            progress.mayGoOn = true
            throw progress
        }
        return step
    }
}
