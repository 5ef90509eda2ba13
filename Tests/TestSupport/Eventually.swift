/// What a test waited for and did not come.
public struct DidNotCome: Error, CustomStringConvertible {
    let what: String

    public var description: String { "this did not come: \(what)" }
}

/// Waits until something holds that nothing tells of.
///
/// - Throws: ``DidNotCome`` once the limit has passed; what the condition throws
public func eventually(
    _ what: String, within limit: Duration = .seconds(300), _ isTrue: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !isTrue() {
        if ContinuousClock.now >= deadline { throw DidNotCome(what: what) }
        try await Task.sleep(for: .milliseconds(20))
    }
}
