import CLibSSH2
import Shared

extension LibSSH2Session {
    /// How long an answer may take on a live connection before it counts as lost.
    static var answerLimit: Duration { .seconds(60) }

    /// Makes a call until it no longer asks to be repeated, whatever the caller's task is told meanwhile.
    ///
    /// - Parameters:
    ///   - step: for errors, such as "starting a command"
    ///   - limit: past it the session is unusable, since the call cannot be taken back
    ///   - askpass: while a person answers its questions, the time stands still
    /// - Returns: what the call returned: 0 or more, or an error code that is not the connection's end
    func complete(
        _ step: String, within limit: Duration = answerLimit, askpass: Askpass? = nil,
        _ call: (OpaquePointer) -> Int
    ) async throws -> Int {
        let start = ContinuousClock.now
        var deadline = start + limit
        await takeTurn()
        defer { giveTurn() }
        while true {
            if let code = try attempt(call) { return code }
            let directions = try blockedDirections()
            let needs: Needs = directions.isEmpty ? .input : directions
            if let askpass { deadline = askpass.deadline(from: start, limit: limit) }
            if ContinuousClock.now >= deadline {
                let error = SSHError.timedOut(host: host, phase: step, after: limit)
                fail(error)
                throw error
            }
            if needs.contains(.output) {
                await pauseShielded(needs, until: deadline)
            } else {
                giveTurn()
                await pauseShielded(needs, until: deadline)
                await takeTurn()
            }
        }
    }

    /// Makes a call that may be left when it waits for input.
    ///
    /// - Returns: what it returned; nil if there is nothing to be had now
    func poll(_ step: String, _ call: (OpaquePointer) -> Int) async throws -> Int? {
        await takeTurn()
        defer { giveTurn() }
        while true {
            if let code = try attempt(call) { return code }
            guard try blockedDirections().contains(.output) else { return nil }
            await pauseShielded(.output, until: nil)
        }
    }

    /// One call; nil if it must be repeated.
    ///
    /// - Throws: the session's end, if the call noticed it
    private func attempt(_ call: (OpaquePointer) -> Int) throws -> Int? {
        if let end { throw end }
        guard let raw = handle?.raw else { throw SSHError.lost(host: host, reason: "it is closed") }
        let code = call(raw)
        noticeArrivals()
        if code == Int(LIBSSH2_ERROR_EAGAIN) { return nil }
        if code < 0 { try checkEnd(Int32(truncatingIfNeeded: code)) }
        return code
    }

    private func blockedDirections() throws -> Needs {
        guard let raw = handle?.raw else { throw SSHError.lost(host: host, reason: "it is closed") }
        let directions = libssh2_session_block_directions(raw)
        var needs: Needs = []
        if directions & LIBSSH2_SESSION_BLOCK_INBOUND != 0 { needs.insert(.input) }
        if directions & LIBSSH2_SESSION_BLOCK_OUTBOUND != 0 { needs.insert(.output) }
        return needs
    }

    /// Throws if this code means that the connection is over, and ends the session then.
    private func checkEnd(_ code: Int32) throws {
        let ends = [
            LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_SEND, LIBSSH2_ERROR_SOCKET_DISCONNECT,
            LIBSSH2_ERROR_BAD_SOCKET, LIBSSH2_ERROR_BANNER_RECV, LIBSSH2_ERROR_SOCKET_NONE, LIBSSH2_ERROR_DECRYPT,
            LIBSSH2_ERROR_INVALID_MAC, LIBSSH2_ERROR_ENCRYPT, LIBSSH2_ERROR_BAD_USE,
        ]
        guard ends.contains(code) else { return }
        let error = SSHError.lost(host: host, reason: lossReason(code))
        fail(error)
        throw error
    }

    private func lossReason(_ code: Int32) -> String {
        let said = handle?.disconnectText ?? ""
        if !said.isEmpty { return said }
        switch code {
        case LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_DISCONNECT: return "the other side closed it"
        case LIBSSH2_ERROR_SOCKET_SEND: return "sending failed"
        default: return handle?.message(code) ?? "libssh2 error \(code)"
        }
    }

    /// A failed call as an error, with libssh2's own message.
    func failure(_ step: String, _ code: Int) -> SSHError {
        .failed(host: host, step: step, reason: handle?.message(Int32(truncatingIfNeeded: code)) ?? "error \(code)")
    }
}
