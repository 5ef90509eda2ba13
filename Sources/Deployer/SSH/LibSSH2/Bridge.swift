import CLibSSH2
import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A local socket during a bridge: its readiness and the bytes on their way.
private final class LocalEnd {
    let descriptor: Int32
    let input: Readiness
    let output: Readiness
    /// Bytes from the socket for the command.
    var up = Buffer()
    /// Bytes from the command for the socket.
    var down = Buffer()
    var isInputOver = false
    var isOutputOver = false

    init(_ descriptor: Int32, input: Readiness, output: Readiness) {
        self.descriptor = descriptor
        self.input = input
        self.output = output
    }
}

/// A fixed piece of memory that is filled once and then emptied from its front.
private struct Buffer: ~Copyable {
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private var start = 0
    private var end = 0

    deinit { memory.deallocate() }

    var isEmpty: Bool { start == end }
    var filled: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[start..<end]) }
    var room: UnsafeMutableRawBufferPointer { memory }

    mutating func fill(_ count: Int) { (start, end) = (0, count) }
    mutating func drop(_ count: Int) { start += count }
}

extension LibSSH2Session {
    /// Carries bytes both ways between a socket and a channel until the node has closed its outputs.
    ///
    /// - Returns: the last of what a command wrote to its standard error, and whether the socket's input had ended before
    func pump(
        _ number: Int, descriptor: Int32, onBytes: @Sendable (Int) -> Void
    ) async throws -> (errors: [UInt8], isInputOver: Bool) {
        guard let channel = channels[number] else { return ([], true) }
        let id = newWaiterID()
        let local = LocalEnd(
            descriptor,
            input: try Readiness(descriptor, .input, queue: executor.queue) { [weak self] in self?.wakeHere(id) },
            output: try Readiness(descriptor, .output, queue: executor.queue) { [weak self] in self?.wakeHere(id) }
        )
        var errors: [UInt8] = []
        while true {
            let before = seen
            var moved = try await moveUp(local, channel, onBytes)
            moved = try await moveDown(local, channel) || moved
            if let bytes = try await read(channel, stream: Channel.stderr) {
                errors = (errors + bytes).suffix(Self.errorTail)
                moved = true
            }
            if local.down.isEmpty, try isAtEnd(channel) { return (errors, local.isInputOver) }
            try Task.checkCancellation()
            // Other channels of this session get their turn even if this one never waits.
            if moved { await Task.yield() } else if seen == before { await wait(local, channel, id) }
        }
    }

    private static var errorTail: Int { 64 << 10 }

    private nonisolated func wakeHere(_ id: Int) {
        assumeIsolated { $0.wake(id) }
    }

    private func wait(_ local: LocalEnd, _ channel: Channel, _ id: Int) async {
        if local.up.isEmpty, !local.isInputOver { local.input.arm() }
        if !local.down.isEmpty { local.output.arm() }
        await pause(.input, id: id)
        local.input.disarm()
        local.output.disarm()
    }

    private func moveUp(_ local: LocalEnd, _ channel: Channel, _ onBytes: (Int) -> Void) async throws -> Bool {
        if local.up.isEmpty, !local.isInputOver { try fillFromSocket(local) }
        var moved = 0
        while !local.up.isEmpty, try hasRoomForInput(channel) {
            let code = try await complete("writing", on: channel) { raw in
                let bytes = local.up.filled
                return libssh2_channel_write_ex(
                    raw, 0, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
            }
            if code < 0 {
                // The command no longer reads; its end will be seen where its output is read.
                local.up.drop(local.up.filled.count)
                local.isInputOver = true
            } else {
                local.up.drop(code)
                moved += code
            }
        }
        if moved > 0 { onBytes(moved) }
        if local.isInputOver, local.up.isEmpty { try await closeInput(channel) }
        return moved > 0
    }

    private func fillFromSocket(_ local: LocalEnd) throws {
        let count = recv(local.descriptor, local.up.room.baseAddress, local.up.room.count, Int32(MSG_DONTWAIT))
        if count > 0 {
            local.up.fill(count)
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            local.isInputOver = true
        }
    }

    private func moveDown(_ local: LocalEnd, _ channel: Channel) async throws -> Bool {
        if local.down.isEmpty {
            let room = local.down.room
            let code = try await poll("reading", on: channel) { raw in
                libssh2_channel_read_ex(
                    raw, 0, room.baseAddress?.assumingMemoryBound(to: CChar.self), room.count)
            }
            if let code, code < 0 { throw failure("reading", code) }
            if let code { local.down.fill(code) }
        }
        guard !local.down.isEmpty else { return false }
        if local.isOutputOver {
            local.down.drop(local.down.filled.count)
            return true
        }
        let bytes = local.down.filled
        let count = send(local.descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | noSignal)
        if count > 0 { local.down.drop(count) }
        if count < 0, errno != EAGAIN, errno != EINTR { local.isOutputOver = true }
        return count > 0 || local.isOutputOver
    }
}
