import Shared

/// A login on a node that is made anew once its connection has ended, as after an activation that restarts sshd.
actor NodeLogin {
    private let destination: Destination
    private let connector: any Connector
    private var current: any Remote
    /// A further one for what is large, over a link that turned out to be slow.
    private var compressed: (any Remote)?

    init(_ remote: any Remote, to destination: Destination, connector: any Connector) {
        current = remote
        self.destination = destination
        self.connector = connector
    }

    /// The connection, open as far as is known here.
    ///
    /// - Throws: ``SSHError`` where it had ended and the node cannot be reached again
    func remote() async throws -> any Remote {
        if await current.isOpen { return current }
        await current.close()
        current = try await connector.connect(destination)
        await current.staysInUse(reaching: nil)
        return current
    }

    /// The connection for what is large.
    func carrier() async throws -> any Remote {
        if let compressed, await compressed.isOpen { return compressed }
        return try await remote()
    }

    /// Logs in once more, with compression, for what is large from now on.
    ///
    /// - Throws: ``SSHError``; everything then goes on as before
    func compress() async throws {
        var destination = destination
        destination.compresses = true
        let remote = try await connector.connect(destination)
        await compressed?.close()
        compressed = remote
    }

    func close() async {
        await compressed?.close()
        await current.close()
    }
}
