import Dispatch
import Shared
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite(.timeLimit(.minutes(10)))
struct ReadySourceTests {
    /// With plain Dispatch sources on Linux, this ended the process.
    @Test func manyHangUpsAtOnceHarmNobody() async throws {
        let noticed = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<32 {
                group.addTask {
                    for _ in 0..<200 { try await hangUp() }
                    return 200
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(noticed == 32 * 200)
    }
}

/// Opens a pipe, closes its far end elsewhere, and waits until that was noticed.
private func hangUp() async throws {
    let pipe = try Descriptor.pipe()
    let queue = DispatchQueue(label: "hang-up")
    let (ready, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let source = try ReadySource.make(pipe.read, .input, queue: queue) { @Sendable in
        continuation.yield()
    } onCancel: { @Sendable in
        close(pipe.read)
        continuation.finish()
    }
    source.activate()
    DispatchQueue.global().async { @Sendable in close(pipe.write) }
    for await _ in ready { source.cancel() }
}
