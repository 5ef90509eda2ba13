import CLibSSH2
import Shared

/// A command's channel; it stays inside its session's actor, and libssh2 frees it with the session at the latest.
final class Channel {
    let raw: OpaquePointer
    /// What is still to be written to the command's standard input.
    var input: ArraySlice<UInt8>
    var isInputClosed = false
    var exit: RemoteExit?

    init(raw: OpaquePointer, input: [UInt8]?) {
        self.raw = raw
        self.input = input?[...] ?? []
    }

    static let stderr: Int32 = SSH_EXTENDED_DATA_STDERR
}

extension LibSSH2Session {
    /// True if the server is not known to allow fewer channels than one more.
    var hasRoom: Bool { end == nil && channels.count < channelLimit ?? .max }

    /// Starts a command; its standard input stays open if there are no bytes for it (nil).
    ///
    /// - Returns: the channel's number; nil if the server refused to open another channel
    func start(_ command: String, input: [UInt8]?) async throws -> Int? {
        guard let raw = try await open() else { return nil }
        nextChannel += 1
        let number = nextChannel
        let channel = Channel(raw: raw, input: input)
        channels[number] = channel
        let code = try await complete("starting a command") { _ in
            Int(libssh2_channel_process_startup(raw, "exec", 4, command, UInt32(command.utf8.count)))
        }
        guard code >= 0 else {
            let error = failure("starting a command", code)
            await abandon(number)
            throw error
        }
        return number
    }

    /// Bytes that the server may send ahead on one channel.
    private static var window: UInt32 { 2 << 20 }

    private func open() async throws -> OpaquePointer? {
        try await openings.withLock {
            // Once more where none is open: the server may not yet have let go of the last one.
            for _ in 1...2 {
                var raw: OpaquePointer?
                let code = try await complete("opening a channel") { session in
                    raw = libssh2_channel_open_ex(
                        session, "session", 7, Self.window,
                        UInt32(LIBSSH2_CHANNEL_PACKET_DEFAULT), nil, 0)
                    return raw == nil ? Int(libssh2_session_last_errno(session)) : 0
                }
                if let raw { return raw }
                guard code == Int(LIBSSH2_ERROR_CHANNEL_FAILURE) else { throw failure("opening a channel", code) }
                if !channels.isEmpty { break }
            }
            channelLimit = max(1, channels.count)
            return nil
        }
    }

    /// The next piece of a command's output; nil once both outputs are closed.
    ///
    /// Writes what the command has room for on the way, so that neither side waits for the other.
    func nextOutput(_ number: Int) async throws -> RemoteOutput? {
        guard let channel = channels[number] else { return nil }
        while true {
            let before = seen
            try await writeInput(channel)
            if let bytes = try await read(channel, stream: 0) { return .stdout(bytes) }
            if let bytes = try await read(channel, stream: Channel.stderr) { return .stderr(bytes) }
            if libssh2_channel_eof(channel.raw) == 1 { return nil }
            try Task.checkCancellation()
            if seen == before { await pause(.input) }
        }
    }

    /// Up to one buffer of what the command wrote; nil if there is nothing now.
    func read(_ channel: Channel, stream: Int32) async throws -> [UInt8]? {
        guard let buffer = handle?.buffer else { return nil }
        let code = try await poll("reading") { _ in
            libssh2_channel_read_ex(channel.raw, stream, buffer.baseAddress, buffer.count)
        }
        guard let code, code != 0 else { return nil }
        guard code > 0 else { throw failure("reading", code) }
        return Array(UnsafeRawBufferPointer(start: buffer.baseAddress, count: code))
    }

    /// Writes as much of the command's input as it has room for, and closes it after the last byte.
    private func writeInput(_ channel: Channel) async throws {
        while !channel.input.isEmpty, libssh2_channel_window_write_ex(channel.raw, nil) > 0 {
            let code = try await complete("writing") { _ in
                channel.input.withUnsafeBytes { bytes in
                    libssh2_channel_write_ex(
                        channel.raw, 0, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
                }
            }
            // The command has ended or closed its input: what it did not read is not ours to worry about.
            channel.input = code > 0 ? channel.input.dropFirst(code) : []
        }
        if channel.input.isEmpty { try await closeInput(channel) }
    }

    func closeInput(_ channel: Channel) async throws {
        guard !channel.isInputClosed else { return }
        channel.isInputClosed = true
        _ = try await complete("closing the input") { _ in Int(libssh2_channel_send_eof(channel.raw)) }
    }

    /// Waits for the command's end and gives back its channel; output not yet read is dropped.
    func exit(_ number: Int) async throws -> RemoteExit {
        while try await nextOutput(number) != nil {}
        guard let channel = channels[number] else { throw end ?? .lost(host: host, reason: "the command was left") }
        // Not before the server has closed it: closing first could cost us the exit status.
        while true {
            let before = seen
            let code = try await poll("waiting for a command") { _ in Int(libssh2_channel_wait_closed(channel.raw)) }
            if let code, code < 0 { throw failure("waiting for a command", code) }
            if code != nil { break }
            try Task.checkCancellation()
            if seen == before { await pause(.input) }
        }
        let exit = exitState(channel)
        _ = try await complete("closing a channel") { _ in Int(libssh2_channel_free(channel.raw)) }
        channels[number] = nil
        return exit
    }

    /// The signal first: for a command that one ended, the status reads 0.
    private func exitState(_ channel: Channel) -> RemoteExit {
        var name: UnsafeMutablePointer<CChar>?
        var length = 0
        libssh2_channel_get_exit_signal(channel.raw, &name, &length, nil, nil, nil, nil)
        if let name, let session = handle?.raw {
            defer { libssh2_free(session, name) }
            return .signal(String(cString: name))
        }
        return .code(libssh2_channel_get_exit_status(channel.raw))
    }

    /// Closes the channel of a command that nobody waits for; the command itself may go on.
    func abandon(_ number: Int) async {
        guard let channel = channels[number] else { return }
        while end == nil {
            let before = seen
            guard let code = try? await poll("closing a channel", { _ in Int(libssh2_channel_free(channel.raw)) })
            else {
                if end == nil, seen == before { await pauseShielded(.input, until: nil) }
                continue
            }
            if code == 0 { channels[number] = nil }
            return
        }
    }

    /// As ``abandon(_:)``, from anywhere, and without waiting: the task ends with the session at the latest.
    nonisolated func abandonLater(_ number: Int) {
        Task { await abandon(number) }
    }
}
