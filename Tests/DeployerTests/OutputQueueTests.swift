import Dispatch
import Testing

@testable import Deployer

@Suite(.timeLimit(.minutes(10)))
struct OutputQueueTests {
    @Test func cancellingWhileAPieceArrivesNeverBlocks() async throws {
        for _ in 0..<5000 {
            let queue = OutputQueue()
            let reader = Task { try await queue.next() }
            let waiting = Task { try? await reader.value }
            DispatchQueue.global().async { @Sendable in queue.add(.stdout([1])) }
            DispatchQueue.global().async { @Sendable in reader.cancel() }
            _ = await waiting.value
        }
    }

    @Test func piecesComeInTheirOrder() async throws {
        let queue = OutputQueue()
        queue.add(.stdout([1]))
        queue.add(.stderr([2]))
        queue.finish()
        #expect(try await queue.next() == .stdout([1]))
        #expect(try await queue.next() == .stderr([2]))
        #expect(try await queue.next() == nil)
    }
}
