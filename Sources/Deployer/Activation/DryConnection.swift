import Shared

/// A connection as a dry run has it: one question can be asked over it, and nothing else reached.
struct DryConnection: Sendable {
    private let connection: ReadyConnection

    init(_ connection: ReadyConnection) { self.connection = connection }

    /// The words that ask a profile's closure what its activation would do.
    func question(_ profile: PlannedProfile, nonce: String, _ mode: ActivationMode) -> [String] {
        command(profile, nonce, mode).words
    }

    /// Asks that.
    ///
    /// - Throws: ``SSHError``
    func ask(_ profile: PlannedProfile, nonce: String, _ mode: ActivationMode) async throws -> any RemoteProcess {
        let command = command(profile, nonce, mode)
        return try await connection.login.remote().start(command.words, input: command.input)
    }

    /// Has a closure's own agent asked that, and passes on what it writes.
    ///
    /// - Throws: ``SSHError``
    func askClosure(
        _ profile: PlannedProfile, _ mode: ActivationMode, _ console: Console, _ tail: OutputTail
    ) async throws -> RemoteExit {
        let agent = ClosureAgent(profile: profile, connection: connection, mode: mode, isDry: true)
        return try await agent.run(agent.activate, console, tail)
    }

    private func command(
        _ profile: PlannedProfile, _ nonce: String, _ mode: ActivationMode
    ) -> (words: [String], input: RemoteInput) {
        connection.agentCommand(
            .activate(profile.rehearsal(nonce: nonce, mode)), options: mode.agentOptions, for: profile)
    }
}
