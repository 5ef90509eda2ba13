import CLibSSH2

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The owner of a libssh2 session, of its socket and of the notes that its callbacks write.
struct SessionHandle: ~Copyable {
    let raw: OpaquePointer
    let socket: Int32
    let notes: UnsafeMutablePointer<shim_notes>
    /// Room for what is read from a channel.
    let buffer = UnsafeMutableBufferPointer<CChar>.allocate(capacity: 65536)

    /// Takes over the socket, also when it fails.
    init?(socket: Int32) {
        let notes = UnsafeMutablePointer<shim_notes>.allocate(capacity: 1)
        notes.initialize(to: shim_notes())
        guard LibSSH2.isReady, let raw = shim_session(notes) else {
            notes.deallocate()
            buffer.deallocate()
            close(socket)
            return nil
        }
        self.raw = raw
        self.socket = socket
        self.notes = notes
    }

    deinit {
        // Nothing below can then wait for the peer.
        shutdown(socket, Int32(SHUT_RDWR))
        libssh2_session_free(raw)
        close(socket)
        notes.deallocate()
        buffer.deallocate()
    }

    /// Encrypted packets sent so far; the first is the request for the service that logs in.
    var sealedPackets: UInt64 { notes.pointee.sealed }

    /// From here on, the server's answer to the one channel that is about to be opened is looked out for.
    func expectChannel() { notes.pointee.opening = 1 }

    /// libssh2's number for the channel that was just opened; nil if the answer was not seen.
    func takeOpenedChannel() -> UInt32? {
        defer { notes.pointee.opening = 0 }
        return notes.pointee.opening == 2 ? notes.pointee.opened : nil
    }

    /// True if the server sent an exit status for this channel.
    func hasExitStatus(_ channel: UInt32) -> Bool { shim_has_status(notes, channel) != 0 }

    /// What the server said when it ended the connection; empty if nothing.
    var disconnectText: String {
        withUnsafeBytes(of: notes.pointee.disconnect_text) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    /// The message that belongs to this error code; a generic one if the session's last error is another.
    func message(_ code: Int32) -> String {
        var text: UnsafeMutablePointer<CChar>?
        var length: Int32 = 0
        guard libssh2_session_last_error(raw, &text, &length, 0) == code, let text, length > 0 else {
            return "libssh2 error \(code)"
        }
        let bytes = UnsafeRawBufferPointer(start: text, count: Int(length))
        return String(decoding: bytes, as: UTF8.self)
    }
}
