/// Works on all inputs, so many at a time; a failure of one does not keep the others from their end.
///
/// - Parameter limit: 1 or more
/// - Returns: a result for each input, in the inputs' order
func sideBySide<Input: Sendable, Output: Sendable>(
    _ inputs: [Input], limit: Int, _ work: @escaping @Sendable (Input) async throws -> Output
) async -> [Result<Output, any Error>] {
    await withTaskGroup(of: Numbered<Output>.self) { group in
        var waiting = inputs.enumerated().makeIterator()
        for _ in 0..<min(limit, inputs.count) {
            guard let (index, input) = waiting.next() else { break }
            group.addTask { await Numbered(index, input, work) }
        }
        var results: [Int: Result<Output, any Error>] = [:]
        for await finished in group {
            results[finished.index] = finished.result
            if let (index, input) = waiting.next() {
                group.addTask { await Numbered(index, input, work) }
            }
        }
        return inputs.indices.compactMap { results[$0] }
    }
}

/// A result with its input's place. A type of its own: Swift 6.3.1, optimizing, crashes on the tuple.
private struct Numbered<Output: Sendable>: Sendable {
    let index: Int
    let result: Result<Output, any Error>

    init<Input: Sendable>(
        _ index: Int, _ input: Input, _ work: @Sendable (Input) async throws -> Output
    ) async {
        self.index = index
        do {
            result = .success(try await work(input))
        } catch {
            result = .failure(error)
        }
    }
}
