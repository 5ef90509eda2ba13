import CLibSSH2
import Dispatch
import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A session's regular look at whether the other side is still there.
final class Keepalive {
    /// How often, and how many silent intervals mean that the peer is gone.
    struct Settings: Sendable, Equatable {
        var interval: Duration = .seconds(15)
        var count = 3
        static let looksPerInterval = 3
    }

    private let timer: any DispatchSourceTimer
    /// Looks since something was heard. Looks are counted, not time: after a suspend, no time has passed for the peer.
    var silentLooks = 0
    var heardBefore: ContinuousClock.Instant
    let settings: Settings
    var isAsking = false

    init(_ settings: Settings, queue: DispatchQueue, onLook: @escaping @Sendable () -> Void) {
        self.settings = settings
        heardBefore = .now
        timer = DispatchSource.makeTimerSource(queue: queue)
        let period = settings.interval.seconds / Double(Settings.looksPerInterval)
        timer.schedule(deadline: .now() + period, repeating: period)
        timer.setEventHandler(handler: onLook)
        timer.activate()
    }

    deinit { timer.cancel() }
}

extension LibSSH2Session {
    func startKeepalive(_ settings: Keepalive.Settings) {
        keepalive = Keepalive(settings, queue: executor.queue) { [weak self] in
            self?.assumeIsolated { $0.look() }
        }
    }

    private func look() {
        guard let keepalive, end == nil else { return }
        let isReadable = hasInput
        if lastHeard != keepalive.heardBefore || isReadable {
            keepalive.silentLooks = 0
            keepalive.heardBefore = lastHeard
            // Nobody reads while no command runs, but the server's own questions want an answer.
            if isReadable { ask(keepalive) }
            return
        }
        keepalive.silentLooks += 1
        let looks = Keepalive.Settings.looksPerInterval
        if keepalive.silentLooks >= looks * keepalive.settings.count {
            let silence = keepalive.settings.interval * keepalive.settings.count
            fail(.lost(host: host, reason: "no answer for \(silence)"))
        } else if keepalive.silentLooks % looks == 0 {
            ask(keepalive)
        }
    }

    private var hasInput: Bool {
        guard let socket = handle?.socket else { return false }
        var poll = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return withUnsafeMutablePointer(to: &poll) { systemPoll($0, 1, 0) } > 0
    }

    /// Sends something that every server answers: a request for a channel of a type that does not exist.
    ///
    /// libssh2's own keepalive loses track when the packet goes out in part, and nothing then reads the answer.
    private func ask(_ keepalive: Keepalive) {
        guard !keepalive.isAsking else { return }
        keepalive.isAsking = true
        // Ends with the answer, or with the session.
        Task {
            let type = "keepalive@deploy-swift"
            _ = try? await openings.withLock {
                try await complete("keepalive") { session in
                    let raw = libssh2_channel_open_ex(
                        session, type, UInt32(type.utf8.count), 0, UInt32(LIBSSH2_CHANNEL_PACKET_DEFAULT), nil, 0)
                    return raw == nil ? Int(libssh2_session_last_errno(session)) : 0
                }
            }
            self.keepalive?.isAsking = false
        }
    }
}
