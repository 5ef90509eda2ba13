/// Runs work that must end by an instant; past it the work is cancelled.
///
/// - Returns: the work's value; nil if the time was over first
/// - Throws: what the work throws; `CancellationError` when the caller was cancelled
func before<Value: Sendable>(
    _ deadline: ContinuousClock.Instant, _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value? {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await work() }
        group.addTask {
            try await ContinuousClock().sleep(until: deadline)
            return nil
        }
        defer { group.cancelAll() }
        return try await group.next() ?? nil
    }
}
