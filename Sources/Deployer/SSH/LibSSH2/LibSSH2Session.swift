import CLibSSH2
import Dispatch
import Shared

/// One SSH connection over libssh2; everything about it happens on its own queue.
///
/// Calls take turns: while a packet is half sent, only the call that sends it may go on. A call that only waits for
/// an answer leaves the turn to others, since its state belongs to its own channel (or, for opening one, to
/// `openings`). Whatever was started is brought to its end even if the caller is cancelled; only reading may be left.
actor LibSSH2Session {
    nonisolated let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    /// Name for errors, as the user wrote it.
    nonisolated let host: String

    var handle: SessionHandle?
    /// Why nothing works any more.
    var end: SSHError?
    /// What speaks against the host being the one it is taken for.
    var doubt: HostDoubt?
    var channels: [Int: Channel] = [:]
    var nextChannel = 0
    /// How many channels the server allows at once; nil until it has refused one.
    var channelLimit: Int?
    /// A channel that was opened ahead of the command that will need it.
    var spare: Channel?
    /// A channel to a Unix socket of this path that was opened ahead.
    var spareSocket: (path: String, channel: Channel)?
    /// Whether one is opened ahead whenever a command takes one.
    var keepsSpare = false
    /// A Unix socket on the node that is to be reached behind the next command.
    var nextSocket: String?
    /// Whether a channel is to be opened behind the signature that is about to be sent.
    var opensBehindSignature = false
    /// Makes sure that one channel is opened after the other: libssh2 has one such state per session.
    let openings = AsyncLock()

    private var waiters: [Int: Waiter] = [:]
    private var nextWaiter = 0
    private var isTurnTaken = false
    private var turnWaiters: [CheckedContinuation<Void, Never>] = []
    private var input: Readiness?
    private var output: Readiness?
    /// Bytes taken from the socket up to the last call: who finds it changed looks again before waiting for input,
    /// since another call, or its own for another stream, may have taken in what it wants.
    private(set) var seen: UInt64 = 0
    var lastHeard = ContinuousClock.now
    var keepalive: Keepalive?
    /// A child process that is our way to the server; ends with the session.
    let proxy: ProxyChild?

    private struct Waiter {
        let continuation: CheckedContinuation<Void, Never>
        let needs: Needs
        let timer: DispatchWorkItem?
    }

    /// What wakes a waiting call, besides its deadline, its cancellation and the end of the session.
    struct Needs: OptionSet {
        let rawValue: Int
        static let input = Needs(rawValue: 1)
        static let output = Needs(rawValue: 2)
        /// Something else, such as a local socket, which calls ``wake(_:)`` itself.
        static let other = Needs(rawValue: 4)
    }

    /// Takes over the socket, which is non-blocking and connected.
    init(socket: Int32, host: String, proxy: ProxyChild?) throws {
        executor = QueueExecutor("ssh.\(host)")
        self.host = host
        self.proxy = proxy
        guard let handle = SessionHandle(socket: socket) else {
            throw SSHError.failed(host: host, step: "starting libssh2", reason: "no session can be made")
        }
        self.handle = consume handle
    }

    isolated deinit {
        proxy?.end()
    }

    // MARK: Turns

    func takeTurn() async {
        if !isTurnTaken {
            isTurnTaken = true
        } else {
            await withCheckedContinuation { turnWaiters.append($0) }
        }
    }

    func giveTurn() {
        if turnWaiters.isEmpty {
            isTurnTaken = false
        } else {
            turnWaiters.removeFirst().resume()
        }
    }

    // MARK: Waiting

    /// Suspends until one of the needs is met, or the deadline, a cancellation or the session's end comes.
    ///
    /// It may return early for no reason: callers look again.
    func pause(_ needs: Needs, until deadline: ContinuousClock.Instant? = nil, id given: Int? = nil) async {
        let id = given ?? newWaiterID()
        await withTaskCancellationHandler {
            await pauseShielded(needs, until: deadline, id: id)
        } onCancel: {
            wakeLater(id)
        }
    }

    /// As ``pause(_:until:id:)``, but no cancellation ends it.
    func pauseShielded(_ needs: Needs, until deadline: ContinuousClock.Instant?, id given: Int? = nil) async {
        let id = given ?? newWaiterID()
        await withCheckedContinuation { continuation in
            guard end == nil, arm(needs) else { return continuation.resume() }
            let timer = deadline.map { makeTimer(id, $0) }
            waiters[id] = Waiter(continuation: continuation, needs: needs, timer: timer)
        }
    }

    func newWaiterID() -> Int {
        nextWaiter += 1
        return nextWaiter
    }

    /// As ``wake(_:)``, from anywhere.
    nonisolated func wakeLater(_ id: Int) {
        executor.queue.async { @Sendable [weak self] in
            self?.assumeIsolated { $0.wake(id) }
        }
    }

    func wake(_ id: Int) {
        guard let waiter = waiters.removeValue(forKey: id) else { return }
        waiter.timer?.cancel()
        waiter.continuation.resume()
    }

    private func wakeAll(_ needs: Needs) {
        for (id, waiter) in waiters where !waiter.needs.isDisjoint(with: needs) { wake(id) }
    }

    private func makeTimer(_ id: Int, _ deadline: ContinuousClock.Instant) -> DispatchWorkItem {
        let item = DispatchWorkItem { @Sendable [weak self] in
            self?.assumeIsolated { $0.wake(id) }
        }
        let left = max(0, (deadline - .now).seconds)
        executor.queue.asyncAfter(deadline: .now() + left, execute: item)
        return item
    }

    private func arm(_ needs: Needs) -> Bool {
        guard let socket = handle?.socket else { return false }
        do {
            if needs.contains(.input) {
                if input == nil {
                    input = try Readiness(socket, .input, queue: executor.queue) { [weak self] in
                        self?.assumeIsolated { $0.socketIsReady(.input) }
                    }
                }
                input?.arm()
            }
            if needs.contains(.output) {
                if output == nil {
                    output = try Readiness(socket, .output, queue: executor.queue) { [weak self] in
                        self?.assumeIsolated { $0.socketIsReady(.output) }
                    }
                }
                output?.arm()
            }
            return true
        } catch {
            fail(.failed(host: host, step: "watching the socket", reason: error.reason))
            return false
        }
    }

    private func socketIsReady(_ direction: Needs) {
        if direction == .input { input?.disarm() } else { output?.disarm() }
        if direction == .input { lastHeard = .now }
        wakeAll(direction)
    }

    /// Wakes those who wait for input if the call just made took some from the socket: theirs may be among it.
    func noticeArrivals() {
        guard let received = handle?.notes.pointee.received, received != seen else { return }
        seen = received
        lastHeard = .now
        wakeAll(.input)
    }

    // MARK: The end

    /// Ends the session: every call, also those that wait, throws this error, unless one came before it.
    func fail(_ error: SSHError) {
        guard end == nil else { return }
        end = error
        wakeAll([.input, .output, .other])
    }

    /// Ends the session and lets go of the socket.
    func close() async {
        fail(.lost(host: host, reason: "we closed it"))
        keepalive = nil
        await takeTurn()
        defer { giveTurn() }
        channels = [:]
        spare = nil
        spareSocket = nil
        input = nil
        output = nil
        handle = nil
        proxy?.end()
    }
}
