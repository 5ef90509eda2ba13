import Shared

/// A login on a node that is made anew once its connection has ended, as after an activation that restarts sshd.
actor NodeLogin {
    private let destination: Destination
    private let connector: any Connector
    private var current: any Remote

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
        return current
    }

    func close() async { await current.close() }
}
