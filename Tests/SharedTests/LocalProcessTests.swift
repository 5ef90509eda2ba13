import Testing

@testable import Shared

@Suite(.serialized, .timeLimit(.minutes(10)))
struct LocalProcessTests {
    @Test func bothOutputsAndTheStatusOfAProgramAreKept() async throws {
        let result = try await LocalCommand(["sh", "-c", "echo out; echo err >&2; exit 3"]).run()
        #expect(result.exit == .code(3))
        #expect(result.text == "out\n")
        #expect(result.errorText == "err")
    }

    @Test func bytesReachStandardInputAndLargeOutputComesBackWhole() async throws {
        var command = LocalCommand(["cat"])
        let bytes = [UInt8]((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) })
        command.input = .bytes(bytes)
        let result = try await command.run()
        #expect(result.output == bytes)
    }

    @Test func aProgramThatIgnoresItsInputDoesNotEndUs() async throws {
        var command = LocalCommand(["true"])
        command.input = .bytes([UInt8](repeating: 65, count: 1 << 20))
        #expect(try await command.run().exit == .code(0))
    }

    @Test func aProgramHasEndedEvenIfADescendantHoldsItsPipe() async throws {
        let result = try await LocalCommand(["sh", "-c", "sleep 60 & echo $!; exit 0"]).run()
        #expect(result.exit == .code(0))
        let process = try #require(Int32(trimmed(result.text)))
        _ = try await LocalCommand(["kill", "\(process)"]).run()
    }

    @Test func aProgramHasEndedEvenIfADescendantFloodsItsPipe() async throws {
        // `yes` ends with the pipe's only reader.
        let result = try await LocalCommand(["sh", "-c", "yes & exit 7"]).run(timeLimit: .seconds(20))
        #expect(result.exit == .code(7))
        #expect(!result.timedOut)
    }

    @Test func aSignalIsReportedAsSuch() async throws {
        #expect(try await LocalCommand(["sh", "-c", "kill -KILL $$"]).run().exit == .signal(9))
    }

    @Test func theTimeLimitEndsTheWholeGroup() async throws {
        let result = try await LocalCommand(["sh", "-c", "sleep 60 | sleep 60"]).run(timeLimit: .milliseconds(50))
        #expect(result.timedOut)
        #expect(result.exit == .signal(15))
    }

    @Test func aMissingProgramIsNamed() async throws {
        await #expect(throws: LocalCommandError.notFound(program: "no-such-program")) {
            try await LocalCommand(["no-such-program"]).run()
        }
    }

    @Test func cancellingEndsTheProgram() async throws {
        let task = Task { try await LocalCommand(["sleep", "60"]).run() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}

@Test func linesAreCutWhateverPiecesTheyArriveIn() {
    var splitter = LineSplitter()
    #expect(splitter.add(Array("a\r\nb".utf8)) == ["a"])
    #expect(splitter.add(Array("c\n\n".utf8)) == ["bc", ""])
    #expect(splitter.finish() == nil)
}
