import Foundation
import Shared
import Testing

@testable import Deployer

/// This machine as a node.
@Suite(.timeLimit(.minutes(10)))
struct LocalRemoteTests {
    private let remote = LocalRemote(environment: currentEnvironment())

    @Test func aCommandGetsItsWordsAndItsInputUnchanged() async throws {
        let result = try await remote.run(
            ["sh", "-c", #"printf '%s|' "$@"; cat; echo err >&2; exit 3"#, "x", "a b", "$c"], input: Array("in".utf8))
        #expect(result.text == "a b|$c|in")
        #expect(result.errorText == "err")
        #expect(result.exit == .code(3))
        #expect(try await remote.run(["sh", "-c", "kill -KILL $$"]).exit == .signal("KILL"))
    }

    @Test func itIsOutOfReachOfOurTerminal() async throws {
        let result = try await remote.run(["sh", "-c", "ps -o sid= -p $$; echo $$"])
        let numbers = result.text.split(whereSeparator: \.isWhitespace)
        #expect(numbers.count == 2 && numbers[0] == numbers[1])
    }

    @Test func whatCannotBeStartedIsNamed() async throws {
        await #expect(throws: SSHError.self) { _ = try await remote.run(["no-such-program-here"]) }
    }

    @Test func aSocketIsBridgedInBothDirections() async throws {
        let bytes = [UInt8](repeating: 7, count: 300_000)
        let (ours, theirs) = try socketPair()
        async let result = remote.bridge(["cat"], socket: { theirs }) { _ in }
        let reader = Task.detached {
            var all: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = read(ours, &buffer, buffer.count)
                guard count > 0 else { return all }
                all += buffer[..<count]
            }
        }
        let writer = Task.detached {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { write(ours, $0.baseAddress, $0.count) }
                rest = rest.dropFirst(max(0, count))
            }
            shutdown(ours, Int32(SHUT_WR))
        }
        #expect(try await result.exit == .code(0))
        #expect(await reader.value == bytes)
        await writer.value
        close(ours)
        close(theirs)
    }

    @Test func onceClosedItIsNotOpen() async {
        #expect(remote.isOpen)
        await remote.close()
        #expect(!remote.isOpen)
    }
}
