import Shared

/// A login that may need answers: at first from memory, so that many can go side by side; then from a person.
struct AskedLogin: Sendable {
    let configuration: SSHConfiguration
    let memory: LoginMemory
    let prompter: any Prompter
    let environment: [String: String]
    /// This program.
    let helper: String
    let log: @Sendable (String) -> Void

    /// Nobody answered, and the login was ended for it.
    struct Unanswered: Error {
        let question: AskpassQuestion
        /// What the answer would be remembered under.
        let name: String
    }

    /// Runs the body, which logs in and ends at once when its ``Askpass`` has declined a question.
    ///
    /// - Throws: ``SSHError`` where nobody answers; what the body throws
    func run<Result>(_ body: (Askpass, AskpassAnswers) async throws -> Result) async throws -> Result {
        let canAsk = !configuration.isBatch && prompter.canAsk
        do {
            return try await once(canAsk ? .memoryAtFirst : .memoryOnly, body)
        } catch let missing as Unanswered where canAsk {
            // A server waits only so long, so one login asks after the other; what one has learned is there for all.
            let asked: Result? = try await memory.questions.withLock {
                memory.knows(missing.name) ? nil : try await once(.person, body)
            }
            if let asked { return asked }
            return try await once(.person, body)
        } catch let missing as Unanswered {
            throw error(missing)
        }
    }

    private func once<Result>(
        _ source: AskpassAnswers.Source, _ body: (Askpass, AskpassAnswers) async throws -> Result
    ) async throws -> Result {
        let version = try await memory.version(environment)
        let answers = AskpassAnswers(
            configuration: configuration, version: version, source: source, memory: memory, prompter: prompter, log: log
        )
        let askpass = try Askpass(helper: helper, version: version) { await answers.answer($0) }
        defer { askpass.shut() }
        do {
            return try await body(askpass, answers)
        } catch {
            try Task.checkCancellation()
            guard let question = askpass.declined else { throw error }
            let missing = Unanswered(question: question, name: answers.name(of: question))
            throw source == .person ? self.error(missing) : missing
        }
    }

    private func error(_ missing: Unanswered) -> SSHError {
        let host = configuration.displayName
        if missing.question.isAboutHost { return OpenSSHFailure.hostKeyNotAccepted.error(configuration, limit: .zero) }
        let tried = ["no answer to \"\(printable(trimmed(missing.question.text)))\""]
        return .loginRefused(destination: "\(configuration.user)@\(host)", tried: tried)
    }
}
