import Shared
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Answers `ssh`'s questions during one login.
final class AskpassAnswers: Sendable {
    /// Where an answer comes from.
    enum Source: Sendable, Equatable {
        /// What is not remembered is asked of a person in another attempt.
        case memoryAtFirst
        /// There is nobody to ask.
        case memoryOnly
        case person
    }

    private let configuration: SSHConfiguration
    private let version: OpenSSHVersion
    private let source: Source
    private let memory: LoginMemory
    private let prompter: any Prompter
    private let log: @Sendable (String) -> Void
    private let state = Mutex(State())

    private struct State {
        /// The `ssh` that goes to the server itself; others go to hosts on the way.
        var own: pid_t?
        /// What each secret was said to be during this login: asked for again, it was wrong.
        var given: [String: Secret] = [:]
    }

    init(
        configuration: SSHConfiguration, version: OpenSSHVersion, source: Source, memory: LoginMemory,
        prompter: any Prompter, log: @escaping @Sendable (String) -> Void
    ) {
        (self.configuration, self.version, self.source) = (configuration, version, source)
        (self.memory, self.prompter, self.log) = (memory, prompter, log)
    }

    /// Names the `ssh` that goes to the server itself.
    func belong(to process: pid_t) { state.withLock { $0.own = process } }

    /// - Returns: nil if there is none
    func answer(_ question: AskpassQuestion) async -> Secret? {
        if question.isNotice {
            log(question.text)
            return nil
        }
        if question.isAboutHost || !question.hint.isEmpty {
            // Cancelled means no answer.
            return source == .person ? try? await prompter.ask(Question(text: question.text, isSecret: false)) : nil
        }
        let name = name(of: question)
        if let wrong = state.withLock({ $0.given[name] }) { memory.forget(name, wrong) }
        guard let secret = await secret(name, question) else { return nil }
        state.withLock { $0.given[name] = secret }
        return secret
    }

    private func secret(_ name: String, _ question: AskpassQuestion) async -> Secret? {
        if source == .person {
            // Cancelled means no answer.
            return try? await memory.secret(name, Question(text: question.text, isSecret: true), prompter)
        }
        if let known = memory.known(name) { return known }
        // For a key, an empty answer lets `ssh` go on with the next one; a server would count it as a failure.
        return source == .memoryOnly && question.keyFile != nil ? Secret([]) : nil
    }

    /// What the answer is remembered under: a server never gets another's secret, whatever it makes `ssh` ask.
    func name(of question: AskpassQuestion) -> String {
        let isFromSSH = version >= OpenSSHVersion.namesHosts
        if isFromSSH, let path = question.keyFile { return LoginMemory.passphrase(path) }
        if state.withLock({ $0.own == question.asker }) {
            return "question of \(configuration.account): \(question.text)"
        }
        // Hosts on the way are the same for all servers behind them; which of them asks is in the question.
        let way = isFromSSH ? configuration.proxyJump ?? configuration.proxyCommand : nil
        return "question on the way \(way ?? "to \(configuration.account)"): \(question.text)"
    }
}
