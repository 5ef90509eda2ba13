import CLibSSH2
import Shared

/// A channel of a command or of a forwarded socket; it stays inside its session's actor, and libssh2 frees it with the
/// session at the latest.
final class Channel {
    /// Reached only through the session's calls below, which make sure that libssh2 still has it; nil once given back.
    fileprivate var raw: OpaquePointer?
    /// libssh2's own number for it, under which its exit status is noted; nil if it could not be seen.
    fileprivate let id: UInt32?
    /// False for a forwarded socket, of which the server allows any number.
    let isOfCommand: Bool
    /// What is still to be written to the command's standard input.
    var input: ArraySlice<UInt8>
    var isInputClosed = false

    fileprivate init(raw: OpaquePointer, id: UInt32?, isOfCommand: Bool) {
        self.raw = raw
        self.id = id
        self.isOfCommand = isOfCommand
        input = []
    }

    static let stderr: Int32 = SSH_EXTENDED_DATA_STDERR
}

/// The only calls that see a channel's pointer: each runs while the session is there and the channel is not given back.
extension LibSSH2Session {
    /// As ``complete(_:within:_:)``, on a channel.
    func complete(_ step: String, on channel: Channel, _ call: (OpaquePointer) -> Int) async throws -> Int {
        try await complete(step) { _ in channel.raw.map(call) ?? Self.noChannel }
    }

    /// As ``poll(_:_:)``, on a channel.
    func poll(_ step: String, on channel: Channel, _ call: (OpaquePointer) -> Int) async throws -> Int? {
        try await poll(step) { _ in channel.raw.map(call) ?? Self.noChannel }
    }

    private static var noChannel: Int { Int(LIBSSH2_ERROR_CHANNEL_CLOSED) }

    /// Asks what libssh2 knows about a channel, which neither waits nor sends.
    ///
    /// - Throws: the session's end; ``SSHError/lost(host:reason:)`` if the channel was given back
    private func look<Answer>(at channel: Channel, _ question: (OpaquePointer) -> Answer) throws -> Answer {
        if let end { throw end }
        guard handle != nil, let raw = channel.raw else {
            throw SSHError.lost(host: host, reason: "the command was left")
        }
        return question(raw)
    }

    /// Bytes that the server may send ahead on one channel.
    private static var window: UInt32 { 2 << 20 }

    private static var session: String { "session" }

    /// Channels of commands that are open.
    var commandChannels: Int { channels.values.count { $0.isOfCommand } }

    /// A channel that was opened ahead, or one that is opened now; nil if the server refused.
    func takeChannel() async throws -> Channel? {
        if let channel = try await takeSpare() { return channel }
        return try await openings.withLock {
            // It may have been on its way.
            if let channel = try await takeSpare() { return channel }
            return try await openNow()
        }
    }

    private func takeSpare() async throws -> Channel? {
        guard let channel = spare else { return nil }
        spare = nil
        // What has come tells whether the server has closed it meanwhile, as with `ChannelTimeout`.
        _ = try await read(channel, stream: 0)
        if try !isAtEnd(channel) { return channel }
        _ = try await free(channel)
        return nil
    }

    /// Opens one channel, with nobody else at it; nil if the server refused.
    func openNow() async throws -> Channel? {
        // Once more where none is open: the server may not yet have let go of the last one.
        for _ in 1...2 {
            if let channel = try await open(Self.session) { return channel }
            if commandChannels > 0 { break }
        }
        channelLimit = max(1, commandChannels)
        return nil
    }

    /// Opens a channel to a Unix socket on the node ahead of its use; false if the server refused.
    func reaches(_ path: String) async throws -> Bool {
        // Not behind others that are just being opened.
        if spareSocket?.path == path { return true }
        return try await openings.withLock {
            if spareSocket == nil { spareSocket = try await openSocket(path).map { (path, $0) } }
            return spareSocket?.path == path
        }
    }

    /// A channel to a Unix socket on the node, which may have been opened ahead; nil if the server refused.
    func takeSocket(_ path: String) async throws -> Channel? {
        if let channel = try await takeSpareSocket(path) { return channel }
        return try await openings.withLock {
            // It may have been on its way.
            if let channel = try await takeSpareSocket(path) { return channel }
            return try await openSocket(path)
        }
    }

    private func takeSpareSocket(_ path: String) async throws -> Channel? {
        guard let (ready, channel) = spareSocket, ready == path else { return nil }
        spareSocket = nil
        if try !isAtEnd(channel) { return channel }
        _ = try await free(channel)
        return nil
    }

    /// As OpenSSH's PROTOCOL has it (2.4); with nobody else at it.
    private func openSocket(_ path: String) async throws -> Channel? {
        let length = withUnsafeBytes(of: UInt32(path.utf8.count).bigEndian) { [UInt8]($0) }
        // Two reserved fields, an empty string and a number.
        return try await open("direct-streamlocal@openssh.com", length + path.utf8 + [UInt8](repeating: 0, count: 8))
    }

    /// Opens one channel, with nobody else at it; nil if the server refused.
    private func open(_ type: String, _ message: [UInt8] = []) async throws -> Channel? {
        var raw: OpaquePointer?
        handle?.expectChannel()
        // It is read until all of it is sent, which may take several calls.
        let bytes = UnsafeMutableBufferPointer<CChar>.allocate(capacity: message.count)
        defer { bytes.deallocate() }
        _ = bytes.initialize(from: message.lazy.map(CChar.init(bitPattern:)))
        let code = try await complete("opening a channel") { session in
            raw = libssh2_channel_open_ex(
                session, type, UInt32(type.utf8.count), Self.window, UInt32(LIBSSH2_CHANNEL_PACKET_DEFAULT),
                bytes.baseAddress, UInt32(bytes.count))
            return raw == nil ? Int(libssh2_session_last_errno(session)) : 0
        }
        let id = handle?.takeOpenedChannel()
        if let raw { return Channel(raw: raw, id: id, isOfCommand: type == Self.session) }
        guard code == Int(LIBSSH2_ERROR_CHANNEL_FAILURE) else { throw failure("opening a channel", code) }
        return nil
    }

    /// True once the server sends no more output on it.
    func isAtEnd(_ channel: Channel) throws -> Bool { try look(at: channel) { libssh2_channel_eof($0) == 1 } }

    /// True if the server takes further input now.
    func hasRoomForInput(_ channel: Channel) throws -> Bool {
        try look(at: channel) { libssh2_channel_window_write_ex($0, nil) > 0 }
    }

    /// How the command ended, once the server has closed the channel.
    ///
    /// The signal first: for a command that one ended, the status reads 0. So it does where none came.
    func exitState(_ channel: Channel) throws -> RemoteExit {
        if let name = try look(at: channel, signalName) { return .signal(name) }
        let status = try look(at: channel) { libssh2_channel_get_exit_status($0) }
        if status != 0 { return .code(status) }
        guard let id = channel.id else {
            let reason = "libssh2 \(LibSSH2.version) does not show whether the command had an exit status"
            throw SSHError.failed(host: host, step: "waiting for a command", reason: reason)
        }
        return handle?.hasExitStatus(id) == true ? .code(0) : .missing
    }

    private func signalName(_ raw: OpaquePointer) -> String? {
        var name: UnsafeMutablePointer<CChar>?
        var length = 0
        libssh2_channel_get_exit_signal(raw, &name, &length, nil, nil, nil, nil)
        guard let name, let session = handle?.raw else { return nil }
        defer { libssh2_free(session, name) }
        return String(cString: name)
    }

    /// Closes the channel and gives it back; its pointer is gone then.
    ///
    /// - Returns: nil if it must be called again
    func free(_ channel: Channel) async throws -> Int? {
        let code = try await poll("closing a channel", on: channel) { Int(libssh2_channel_free($0)) }
        if code == 0 { channel.raw = nil }
        return code
    }
}
