/// A command on a channel of a libssh2 session.
final class LibSSH2Process: RemoteProcess {
    private let owner: ChannelOwner
    let output: AsyncThrowingStream<RemoteOutput, any Error>

    init(_ session: LibSSH2Session, channel: Int) {
        let owner = ChannelOwner(session, channel)
        self.owner = owner
        // Pulled, not pushed: who reads slowly holds the command back instead of filling the memory.
        output = AsyncThrowingStream { try await owner.session.nextOutput(owner.channel) }
    }

    func exit() async throws -> RemoteExit {
        try Task.checkCancellation()
        return try await owner.session.exit(owner.channel)
    }
}

/// Gives back the channel when nobody can read from it any more.
private final class ChannelOwner: Sendable {
    let session: LibSSH2Session
    let channel: Int

    init(_ session: LibSSH2Session, _ channel: Int) {
        self.session = session
        self.channel = channel
    }

    deinit { session.abandonLater(channel) }
}
