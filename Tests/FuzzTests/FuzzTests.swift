import Dispatch
import Foundation
import Shared
import Synchronization
import Testing

/// Readers of foreign bytes neither crash nor hang, and stay within a bounded memory.
///
/// `FUZZ_RUNS` is how many inputs each gets (`make fuzz RUNS=…`), `FUZZ_SEED` where their numbers begin. The input at hand
/// is always in a file, so that one which ends the process can be taken into the corpus.
@Suite(.serialized) struct FuzzTests {
    private static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/corpus"
    private static let runs = Int(currentEnvironment()["FUZZ_RUNS"] ?? "") ?? 500
    private static let seed = UInt64(currentEnvironment()["FUZZ_SEED"] ?? "") ?? 1
    /// No input is longer than ``Mutator/limit``; the slowest machine needs a fraction of this.
    private static let patience = Duration.seconds(10)
    /// Bytes that all inputs of one reader may add to the process.
    private static let memory = 256 << 20

    @Test("every reader takes any bytes", arguments: Reader.all)
    func anyBytes(reader: Reader) async throws {
        let known = try Self.known(reader)
        let input = try InputFile(reader.name)
        let before = peakMemory()
        for bytes in known { input.read(bytes, by: reader, within: Self.patience) }
        var mutator = Mutator(known, words: reader.words, seed: Self.seed)
        for _ in 0..<Self.runs {
            input.read(mutator.next(), by: reader, within: Self.patience)
            // The threads are few, and other tests' limits run meanwhile.
            await Task.yield()
        }
        #expect(peakMemory() - before < Self.memory)
        input.remove()
    }

    @Test func everyReaderHasACorpusAndEveryCorpusAReader() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus).filter { !$0.hasPrefix(".") }
        #expect(folders.sorted() == Reader.all.map(\.name).sorted())
        for reader in Reader.all { #expect(try !Self.known(reader).isEmpty, "\(reader.name)") }
    }

    private static func known(_ reader: Reader) throws -> [[UInt8]] {
        let folder = "\(corpus)/\(reader.name)"
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map {
            Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)")))
        }
    }
}

/// Where the input at hand is kept until it was read.
private struct InputFile {
    private let path: String
    private let file: FileHandle

    init(_ name: String) throws {
        path = FileManager.default.temporaryDirectory.path + "/deploy-swift-fuzz-\(name)-\(getpid())"
        try #require(FileManager.default.createFile(atPath: path, contents: nil))
        file = try #require(FileHandle(forWritingAtPath: path))
    }

    /// Ends the process, loudly, where that takes too long: nothing else could end it.
    func read(_ bytes: [UInt8], by reader: Reader, within limit: Duration) {
        do {
            try file.seek(toOffset: 0)
            try file.write(contentsOf: Data(bytes))
            try file.truncate(atOffset: UInt64(bytes.count))
        } catch {
            Issue.record("\(path) cannot be written: \(error)")
        }
        let name = reader.name
        let alarm = DispatchWorkItem { @Sendable [path] in fatalError("\(name) hangs over \(path)") }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit.seconds, execute: alarm)
        defer { alarm.cancel() }
        guard let problem = reader.read(bytes) else { return }
        Issue.record("\(problem), in \(String(decoding: bytes, as: UTF8.self).debugDescription)")
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }  // a scratch file: left behind, it does no harm
}

/// The most memory that this process has had, in bytes.
private func peakMemory() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss << 10
}
