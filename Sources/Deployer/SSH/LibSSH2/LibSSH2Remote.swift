import CSystem
import Shared

/// A node over libssh2: one session, and more to the same place where the server refuses another channel.
actor LibSSH2Remote: Remote {
    private var sessions: [LibSSH2Session]
    private let makeSession: @Sendable () async throws -> LibSSH2Session
    /// Further logins are made one after the other: a server drops some of many at once (`MaxStartups`).
    private let growth = AsyncLock()
    private var isClosed = false

    let isCompressed: Bool

    init(
        _ first: LibSSH2Session, isCompressed: Bool, makeSession: @escaping @Sendable () async throws -> LibSSH2Session
    ) {
        self.isCompressed = isCompressed
        sessions = [first]
        self.makeSession = makeSession
    }

    func start(_ words: [String], input: RemoteInput) async throws -> any RemoteProcess {
        let (session, channel) = try await open(try quoted(words), input: input)
        return LibSSH2Process(session, channel: channel)
    }

    func bridge(
        _ words: [String], socket: @Sendable () async throws -> Int32, onBytes: @escaping @Sendable (Int) -> Void
    ) async throws -> RemoteResult {
        let (session, channel) = try await open(try quoted(words), input: nil)
        do {
            let descriptor = try await socket()
            let errors = try await session.pump(channel, descriptor: descriptor, onBytes: onBytes).errors
            let exit = try await session.exit(channel)
            // Not before: who sees this end may ask at once how it came.
            shim_shutdown_writing(descriptor)
            return RemoteResult(exit: exit, output: [], errorOutput: errors)
        } catch {
            session.abandonLater(channel)
            throw error
        }
    }

    nonisolated var forwardsSockets: Bool { true }

    func reaches(_ path: String) async throws -> Bool { try await sessions[0].reaches(path) }

    func forward(
        _ path: String, socket: @Sendable () async throws -> Int32, onBytes: @escaping @Sendable (Int) -> Void
    ) async throws -> ForwardEnd {
        let session = sessions[0]
        guard let channel = try await session.connect(toSocket: path) else { return .refused }
        do {
            let descriptor = try await socket()
            let isOver = try await session.pump(channel, descriptor: descriptor, onBytes: onBytes).isInputOver
            await session.abandon(channel)
            return isOver ? .closed : .closedByNode
        } catch {
            session.abandonLater(channel)
            throw error
        }
    }

    func staysInUse(reaching socket: String?) async { await sessions[0].keepSpare(reaching: socket) }

    var doubt: HostDoubt? {
        get async {
            for session in sessions {
                if let doubt = await session.doubt { return doubt }
            }
            return nil
        }
    }

    var isOpen: Bool {
        get async {
            if isClosed { return false }
            return await sessions[0].end == nil
        }
    }

    func close() async {
        isClosed = true
        for session in sessions { await session.close() }
    }

    private func quoted(_ words: [String]) throws -> String {
        guard !words.isEmpty, !words.contains(where: { $0.utf8.contains(0) }) else {
            let reason = "a word of the command holds a NUL character, or there is none"
            throw SSHError.failed(host: sessions[0].host, step: "starting a command", reason: reason)
        }
        return shellQuoted(words)
    }

    private func open(_ command: String, input: RemoteInput?) async throws -> (LibSSH2Session, Int) {
        if let opened = try await openInPresent(command, input) { return opened }
        return try await growth.withLock {
            // Another one may have ended, or opened a session with room, while we waited.
            if let opened = try await openInPresent(command, input) { return opened }
            let session = try await makeSession()
            do {
                // Before others know of it: they might take the only place.
                guard let channel = try await session.start(command, input: input) else {
                    throw SSHError.failed(
                        host: session.host, step: "opening a channel",
                        reason: "the server allows no session (MaxSessions)")
                }
                if isClosed { throw SSHError.lost(host: session.host, reason: "we closed it") }
                sessions.append(session)
                return (session, channel)
            } catch {
                await session.close()
                throw error
            }
        }
    }

    private func openInPresent(_ command: String, _ input: RemoteInput?) async throws -> (LibSSH2Session, Int)? {
        for session in sessions where await session.hasRoom {
            if let channel = try await session.start(command, input: input) { return (session, channel) }
        }
        // A lost connection is not quietly made anew: whoever holds this one must know.
        if let end = await sessions[0].end { throw end }
        return nil
    }
}
