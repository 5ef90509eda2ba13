import CLibSSH2
import Shared

extension LibSSH2Session {
    /// True if the server is not known to allow fewer channels than one more.
    var hasRoom: Bool { end == nil && (spare != nil || commandChannels < channelLimit ?? .max) }

    /// Opens a channel ahead of a command that will need it, if the server is not known to refuse it.
    func openAhead() async {
        // Why it fails is told once a command needs one.
        try? await openings.withLock {
            guard spare == nil, hasRoom else { return }
            spare = try await openNow()
        }
    }

    /// As ``openAhead()``, without waiting: the task ends with the session at the latest.
    func openAheadLater() {
        Task { await openAhead() }
    }

    /// Keeps a channel open ahead from now on, and reaches a Unix socket on the node behind the next command.
    func keepSpare(reaching socket: String?) { (keepsSpare, nextSocket) = (true, socket) }

    /// Opens what is wanted ahead, without waiting.
    private func getReady() {
        guard keepsSpare else { return }
        let socket = nextSocket
        nextSocket = nil
        Task {
            // Why it fails is told once it is used.
            if let socket { _ = try? await reaches(socket) }
            await openAhead()
        }
    }

    /// Starts a command; its standard input stays open if there is none given (nil).
    ///
    /// - Returns: the channel's number; nil if the server refused to open another channel
    func start(_ command: String, input: RemoteInput?) async throws -> Int? {
        if input?.holdsSecret == true, let doubt { throw doubt.error }
        guard let channel = try await takeChannel() else { return nil }
        channel.input = (input?.bytes ?? [])[...]
        nextChannel += 1
        let number = nextChannel
        channels[number] = channel
        getReady()
        let code = try await complete("starting a command", on: channel) { raw in
            Int(libssh2_channel_process_startup(raw, "exec", 4, command, UInt32(command.utf8.count)))
        }
        guard code >= 0 else {
            let error = failure("starting a command", code)
            await abandon(number)
            throw error
        }
        return number
    }

    /// Connects to a Unix socket on the node.
    ///
    /// - Returns: the channel's number; nil if the server refused, or nothing listens there
    func connect(toSocket path: String) async throws -> Int? {
        guard let channel = try await takeSocket(path) else { return nil }
        nextChannel += 1
        channels[nextChannel] = channel
        return nextChannel
    }

    /// The next piece of a command's output; nil once both outputs are closed.
    ///
    /// Writes what the command has room for on the way, so that neither side waits for the other.
    func nextOutput(_ number: Int) async throws -> RemoteOutput? {
        if let end { throw end }
        guard let channel = channels[number] else { return nil }
        while true {
            let before = seen
            try await writeInput(channel)
            if let bytes = try await read(channel, stream: 0) { return .stdout(bytes) }
            if let bytes = try await read(channel, stream: Channel.stderr) { return .stderr(bytes) }
            if try isAtEnd(channel) { return nil }
            try Task.checkCancellation()
            if seen == before { await pause(.input) }
        }
    }

    /// Up to one buffer of what the command wrote; nil if there is nothing now.
    func read(_ channel: Channel, stream: Int32) async throws -> [UInt8]? {
        guard let buffer = handle?.buffer else { return nil }
        let code = try await poll("reading", on: channel) { raw in
            libssh2_channel_read_ex(raw, stream, buffer.baseAddress, buffer.count)
        }
        guard let code, code != 0 else { return nil }
        guard code > 0 else { throw failure("reading", code) }
        return Array(UnsafeRawBufferPointer(start: buffer.baseAddress, count: code))
    }

    /// Writes as much of the command's input as it has room for, and closes it after the last byte.
    private func writeInput(_ channel: Channel) async throws {
        while !channel.input.isEmpty, try hasRoomForInput(channel) {
            let code = try await complete("writing", on: channel) { raw in
                channel.input.withUnsafeBytes { bytes in
                    libssh2_channel_write_ex(
                        raw, 0, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
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
        _ = try await complete("closing the input", on: channel) { Int(libssh2_channel_send_eof($0)) }
    }

    /// Waits for the command's end and gives back its channel; output not yet read is dropped.
    func exit(_ number: Int) async throws -> RemoteExit {
        while try await nextOutput(number) != nil {}
        guard let channel = channels[number] else { throw end ?? .lost(host: host, reason: "the command was left") }
        // Not before the server has closed it: closing first could cost us the exit status.
        while true {
            let before = seen
            let code = try await poll("waiting for a command", on: channel) { Int(libssh2_channel_wait_closed($0)) }
            if let code, code < 0 { throw failure("waiting for a command", code) }
            if code != nil { break }
            try Task.checkCancellation()
            if seen == before { await pause(.input) }
        }
        let exit = try exitState(channel)
        await abandon(number)
        return exit
    }

    /// Closes the channel of a command that nobody waits for; the command itself may go on.
    func abandon(_ number: Int) async {
        guard let channel = channels[number] else { return }
        while end == nil {
            let before = seen
            guard let code = try? await free(channel) else {
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
