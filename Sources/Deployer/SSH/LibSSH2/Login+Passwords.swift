import CLibSSH2
import Dispatch
import Shared
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension LibSSH2Session {
    func sendPassword(_ login: Login, _ progress: inout LoginFailure) async throws -> LoginStep {
        progress.tried.append("password")
        let user = login.configuration.user
        let name = "password \(login.account)"
        let question = Question(text: "\(user)@\(login.configuration.originalHost)'s password: ", isSecret: true)
        for _ in 0..<login.configuration.passwordPrompts {
            guard let secret = try await login.memory.secret(name, question, login.prompter) else {
                progress.note("no terminal to ask for it")
                return .refused
            }
            let code = try await complete("sending a password", within: Login.answerLimit) { raw in
                secret.bytes.withUnsafeBytes { bytes in
                    Int(
                        libssh2_userauth_password_ex(
                            raw, user, UInt32(user.utf8.count), bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                            UInt32(bytes.count), nil))
                }
            }
            if code == 0 { return .accepted }
            login.memory.forget(name, secret)
            guard code == Int(LIBSSH2_ERROR_AUTHENTICATION_FAILED) else { return .refused }
        }
        return .refused
    }

    func answerQuestions(_ login: Login, _ progress: inout LoginFailure) async throws -> LoginStep {
        progress.tried.append("keyboard-interactive")
        let user = login.configuration.user
        for _ in 0..<login.configuration.passwordPrompts {
            let responder = Responder(login)
            defer { handle?.notes.pointee.responder = nil }
            let code = try await withTaskCancellationHandler {
                try await complete("answering questions", within: .seconds(600)) { raw in
                    // Set for each call: it is the pointer that the callback reads, and only during the call.
                    handle?.notes.pointee.responder = Unmanaged.passUnretained(responder).toOpaque()
                    return Int(
                        libssh2_userauth_keyboard_interactive_ex(raw, user, UInt32(user.utf8.count), respond))
                }
            } onCancel: {
                responder.stop()
            }
            if code == 0 { return .accepted }
            try Task.checkCancellation()
            responder.forgetAll()
            if !responder.hasAnswered {
                if responder.wasAsked { progress.note("no terminal for its questions") }
                return .refused
            }
            guard code == Int(LIBSSH2_ERROR_AUTHENTICATION_FAILED) else { return .refused }
        }
        return .refused
    }
}

/// Answers the server's questions for libssh2, which wants them at once: the session's thread waits for a person.
private final class Responder: Sendable {
    private struct State {
        var given: [(name: String, secret: Secret)] = []
        var wasAsked = false
        var hasAnswered = false
        var isStopped = false
        var task: Task<Void, Never>?
    }
    private let login: Login
    private let state = Mutex(State())

    init(_ login: Login) { self.login = login }

    var hasAnswered: Bool { state.withLock { $0.hasAnswered } }

    var wasAsked: Bool { state.withLock { $0.wasAsked } }

    func forgetAll() {
        for (name, secret) in state.withLock({ $0.given }) { login.memory.forget(name, secret) }
    }

    func stop() {
        let task = state.withLock { state in
            state.isStopped = true
            return state.task
        }
        task?.cancel()
    }

    /// Blocks until the answer is there; empty if there is none.
    func answer(_ prompt: String, echo: Bool) -> [UInt8] {
        let name = "answer \(login.account) \(prompt)"
        let text = "(\(login.configuration.user)@\(login.configuration.originalHost)) \(prompt)"
        let question = Question(text: text, isSecret: !echo)
        let waiting = Answer()
        // This thread waits for it, and `stop` cancels it.
        let task = Task { [login] in
            let secret = try? await login.memory.secret(name, question, login.prompter)
            waiting.set(secret)
        }
        let isStopped = state.withLock { state in
            state.wasAsked = true
            state.task = task
            return state.isStopped
        }
        if isStopped { task.cancel() }
        guard let secret = waiting.wait() else { return [] }
        state.withLock { state in
            state.hasAnswered = true
            state.given.append((name, secret))
        }
        return secret.bytes
    }
}

/// A value that a thread waits for.
private final class Answer: Sendable {
    private let secret = Mutex<Secret?>(nil)
    private let done = DispatchSemaphore(value: 0)

    func set(_ value: Secret?) {
        secret.withLock { $0 = value }
        done.signal()
    }

    func wait() -> Secret? {
        done.wait()
        return secret.withLock { $0 }
    }
}

private let respond:
    @convention(c) (
        UnsafePointer<CChar>?, Int32, UnsafePointer<CChar>?, Int32, Int32,
        UnsafePointer<LIBSSH2_USERAUTH_KBDINT_PROMPT>?, UnsafeMutablePointer<LIBSSH2_USERAUTH_KBDINT_RESPONSE>?,
        UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> Void = { _, _, _, _, count, prompts, responses, abstract in
        guard let notes = abstract?.pointee?.assumingMemoryBound(to: shim_notes.self),
            let pointer = notes.pointee.responder, let prompts, let responses
        else { return }
        let responder = Unmanaged<Responder>.fromOpaque(pointer).takeUnretainedValue()
        for index in 0..<Int(count) {
            let prompt = prompts[index]
            let bytes = UnsafeRawBufferPointer(start: prompt.text, count: numericCast(prompt.length))
            let answer = responder.answer(String(decoding: bytes, as: UTF8.self), echo: prompt.echo != 0)
            // libssh2 allocates with `malloc`, and frees it as its own.
            guard let copy = malloc(max(1, answer.count)) else { return }
            copy.copyMemory(from: answer, byteCount: answer.count)
            responses[index].text = copy.assumingMemoryBound(to: CChar.self)
            responses[index].length = numericCast(answer.count)
        }
    }
