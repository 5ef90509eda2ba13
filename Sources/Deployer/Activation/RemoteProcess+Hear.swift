import Shared

extension RemoteProcess {
    /// Hears an agent out: tells each line, until one of its events settles the matter.
    ///
    /// - Parameter settle: what the event means for the caller; nil if it goes on
    /// - Returns: what the last event came to; nil if the agent closed its outputs before
    /// - Throws: ``SSHError`` when the connection is lost; `CancellationError`
    func hear<Finding>(
        _ log: inout ActivationLog, until settle: (AgentEvent) -> Finding?
    ) async throws -> Finding? {
        var reader = EventReader()
        for try await output in output {
            for line in reader.add(output) {
                log.tell(line)
                if case .event(let event) = line, let finding = settle(event) { return finding }
            }
        }
        for line in reader.finish() {
            log.tell(line)
            if case .event(let event) = line, let finding = settle(event) { return finding }
        }
        return nil
    }
}
