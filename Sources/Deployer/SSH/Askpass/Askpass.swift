import Dispatch
import Shared
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Takes the questions of an `ssh` and of those on its way, for as long as one login takes.
///
/// `ssh` starts this program's second part for each (``AskpassHelper``), which brings it here over a socket in a folder
/// that only we can enter: no answer is ever among arguments, in an environment or in a file.
final class Askpass: Sendable {
    private let folder: String
    private let version: OpenSSHVersion
    private let helper: String
    private let answer: @Sendable (AskpassQuestion) async -> Secret?
    // Dispatch sources may be cancelled from any thread; only the protocol is not marked so.
    nonisolated(unsafe) private let source: any DispatchSourceProtocol
    private let state = Mutex(State())

    private struct State {
        var isClosed = false
        var next = 0
        var tasks: [Int: Task<Void, Never>] = [:]
        var hasAsked = false
        var lastAnswer: ContinuousClock.Instant?
        var unanswered: [Int32] = []
        var declined: AskpassQuestion?
        var onDecline: (@Sendable () -> Void)?
    }

    /// - Parameters:
    ///   - helper: this program
    ///   - answer: the answer to a question; nil if there is none, and `ssh` then waits until ``shut()``
    /// - Throws: ``SystemError``
    init(
        helper: String, version: OpenSSHVersion, answer: @escaping @Sendable (AskpassQuestion) async -> Secret?
    ) throws {
        (self.helper, self.version, self.answer) = (helper, version, answer)
        let folder = try makeScratchFolder()
        self.folder = folder
        let queue = DispatchQueue(label: "askpass")
        let arrivals = Arrivals()
        do {
            let listener = try listenOnUnixSocket("\(folder)/a")
            do {
                try Descriptor.setNonBlocking(listener)
                source = try ReadySource.make(listener, .input, queue: queue) { @Sendable in
                    let raw = accept(listener, nil, nil)
                    if raw >= 0 { arrivals.take(raw) }
                } onCancel: { @Sendable in
                    close(listener)
                }
            } catch {
                close(listener)
                throw error
            }
        } catch {
            removeScratchFolder(folder)
            throw error
        }
        arrivals.owner = self
        source.activate()
    }

    /// Knows the owner of the socket; set before the first connection can come.
    private final class Arrivals: Sendable {
        nonisolated(unsafe) weak var owner: Askpass?

        func take(_ raw: Int32) {
            guard let owner else {
                close(raw)
                return
            }
            owner.take(raw)
        }
    }

    deinit { shut() }

    /// Refuses what is still asked; nobody can ask any more.
    func shut() {
        let before = state.withLock { state in
            let before = state
            state = State()
            state.isClosed = true
            state.hasAsked = before.hasAsked
            state.declined = before.declined
            return before
        }
        if before.isClosed { return }
        for task in before.tasks.values { task.cancel() }
        for raw in before.unanswered { close(raw) }
        source.cancel()
        removeScratchFolder(folder)
    }

    /// What `ssh` needs in its environment to ask here.
    var environment: [String: String] {
        var environment = [
            "SSH_ASKPASS": helper, "SSH_ASKPASS_REQUIRE": "force", AskpassHelper.socketVariable: "\(folder)/a",
        ]
        // Before 8.4 it asks a helper only where it believes to have a display, and no terminal.
        if version < OpenSSHVersion(8, 4) { environment["DISPLAY"] = ":" }
        return environment
    }

    /// Calls the body once a question has found no answer; at once if one has.
    ///
    /// `ssh` would go on with an empty one: whoever started it had better end it.
    func whenDeclined(_ body: @escaping @Sendable () -> Void) {
        let hasDeclined = state.withLock { state in
            state.onDecline = body
            return state.declined != nil
        }
        if hasDeclined { body() }
    }

    /// The question that found no answer.
    var declined: AskpassQuestion? { state.withLock { $0.declined } }

    /// True once there was a question.
    var hasAsked: Bool { state.withLock { $0.hasAsked } }

    /// When a login that began then has taken too long: the time that a person needs is not counted.
    func deadline(from start: ContinuousClock.Instant, limit: Duration) -> ContinuousClock.Instant {
        state.withLock { state in state.tasks.isEmpty ? max(start, state.lastAnswer ?? start) + limit : .now + limit }
    }

    private func take(_ raw: Int32) {
        // Fails only for a descriptor that is not open.
        _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
        _ = fcntl(raw, F_SETFL, 0)
        // The helper's question is there in a moment; a stranger's silence does not hold this thread.
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        DispatchQueue(label: "askpass.question").async { @Sendable [self] in
            guard let bytes = receivePacket(raw, limit: 1 << 20), let question = AskpassQuestion(bytes) else {
                close(raw)
                return
            }
            begin(question, raw)
        }
    }

    private func begin(_ question: AskpassQuestion, _ raw: Int32) {
        state.withLock { state in
            state.next += 1
            let number = state.next
            state.hasAsked = true
            // Ends with the answer, or with ``shut()``.
            let task = Task { [weak self, answer] in
                let secret = await answer(question)
                if let secret {
                    // Where `ssh` has gone away meanwhile, nobody needs the answer.
                    try? sendPacket(raw, secret.bytes)
                    close(raw)
                    self?.end(number)
                } else if let self {
                    decline(question, raw, number)
                } else {
                    close(raw)
                }
            }
            state.tasks[number] = task
            if state.isClosed { task.cancel() }
        }
    }

    private func end(_ number: Int) {
        state.withLock { state in
            state.tasks[number] = nil
            state.lastAnswer = .now
        }
    }

    private func decline(_ question: AskpassQuestion, _ raw: Int32, _ number: Int) {
        end(number)
        let (isClosed, body) = state.withLock { state in
            if !state.isClosed { state.unanswered.append(raw) }
            if !question.isNotice { state.declined = question }
            return (state.isClosed, state.onDecline)
        }
        if isClosed { close(raw) } else if !question.isNotice { body?() }
    }
}
