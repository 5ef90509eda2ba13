import CSystem
import Foundation
import Synchronization
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
        let result = try await LocalCommand(["sh", "-c", "yes & exit 7"]).run(timeLimit: .seconds(120))
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

    @Test func aProgramIsAnnouncedBeforeItBegins() async throws {
        let seen = Mutex<(id: Int32, group: Int32, program: String?)?>(nil)
        var command = LocalCommand(["sh", "-c", "echo $$; ps -o pgid= $$"])
        command.grouping = .announcedGroup { id in
            // It is still what it was made of: us.
            seen.withLock { $0 = (id, getpgid(id), program(id)) }
        }
        let lines = try await command.run().text.split(separator: "\n").map { trimmed(String($0)) }
        let found = try #require(seen.withLock { $0 })
        #expect(lines == ["\(found.id)", "\(found.id)"] && found.group == found.id)
        #expect(found.program == program(getpid()))
    }

    @Test func itHasItsStreamsFolderAndSignalsAsAnyOther() async throws {
        let before = signal(SIGUSR2, SIG_IGN)
        defer { signal(SIGUSR2, before) }
        let words = ["sh", "-c", "cat; pwd; echo err >&2; kill -USR2 $$; echo not reached"]
        var command = LocalCommand(words, environment: ["PATH": "/usr/bin:/bin", "A": "b"])
        command.input = .bytes(Array("in\n".utf8))
        command.directory = "/usr"
        command.grouping = .announcedGroup { _ in }
        let result = try await command.run()
        #expect(result.text == "in\n/usr\n" && result.errorText == "err")
        #expect(result.exit == .signal(SIGUSR2))
    }

    @Test("one that cannot begin is told as such, and reaped", arguments: [true, false])
    func anAnnouncedProgramThatCannotBegin(hasFolder: Bool) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/held-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let program = "\(folder)/program"
        // By another process: a file that one of ours may still have open for writing cannot be started.
        let make = "mkdir \(folder); echo '#!\(hasFolder ? "/no/such" : "/bin")/sh' >\(program); chmod +x \(program)"
        #expect(try await LocalCommand(["sh", "-c", make]).run().exit == .code(0))
        let announced = Mutex<Int32>(0)
        var command = LocalCommand([program])
        command.directory = hasFolder ? folder : "\(folder)/none"
        command.grouping = .announcedGroup { id in announced.withLock { $0 = id } }
        let error = SystemError("exec", program, number: ENOENT)
        await #expect(throws: LocalCommandError.notStarted(program: program, error)) { try await command.run() }
        let id = announced.withLock { $0 }
        #expect(id > 0 && kill(id, 0) != 0 && errno == ESRCH)
    }

    /// As where we are killed while it is announced.
    @Test func itNeverBeginsOnceNobodyCanLetIt() throws {
        let touch = try #require(locateProgram("touch", path: currentEnvironment()["PATH"]))
        let file = FileManager.default.temporaryDirectory.path + "/held-\(UUID().uuidString)"
        var words: [UnsafeMutablePointer<CChar>?] = [strdup(touch), strdup(file)]
        words.append(nil)
        defer { for word in words { free(word) } }
        var held = shim_held()
        #expect(shim_spawn_held(&held, touch, words, environ, nil, [0, 1, 2]) == 0)
        close(held.gate)
        var status: Int32 = 0
        #expect(waitpid(held.id, &status, 0) == held.id)
        #expect(Exit(waitStatus: status) == .code(1))
        #expect(!FileManager.default.fileExists(atPath: file))
        var number: Int32 = 0
        #expect(read(held.failure, &number, MemoryLayout<Int32>.size) == 0)
        for end in [held.gate_end, held.failure] { close(end) }
    }

    @Test func cancellingEndsTheProgram() async throws {
        let task = Task { try await LocalCommand(["sleep", "60"]).run() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}

/// The file that a process runs.
private func program(_ id: Int32) -> String? {
    try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(id)/exe")
}

@Test func linesAreCutWhateverPiecesTheyArriveIn() {
    var splitter = LineSplitter()
    #expect(splitter.add(Array("a\r\nb".utf8)) == ["a"])
    #expect(splitter.add(Array("c\n\n".utf8)) == ["bc", ""])
    #expect(splitter.finish() == nil)
}
