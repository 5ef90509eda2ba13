import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    @Suite struct FullDiskTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        /// The last script to run forbids the guardian, which started it, to write anything more.
        @Test(.enabled(if: hasLimits, "needs prlimit in PATH"))
        func aVerdictThatCannotBeWrittenIsStillToldAndHolds() async throws {
            try await node.generations([try await node.tracing("old", "prlimit --pid $PPID --fsize=0")])
            let request = node.request(try await node.tracing("new", "exit 1"))
            let end = try await node.activate(request)
            #expect(end.exit == .code(ExitCode.rolledBack.rawValue))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(end.verdict?.generation?.number == 1)
            #expect(end.verdict?.reason?.contains("the activation script ended with exit status 1") == true)
            #expect(node.traced == ["new boot=0", "old boot=0"])
            #expect(try await node.status().activation?.state == .rolledBack)
            #expect(try await node.confirm(request).verdict?.verdict == .rolledBack)
            var next = node.request(try await node.tracing("next"))
            next.magicRollback = false
            let after = try await node.activate(next)
            #expect(after.verdict?.verdict == .committed)
            #expect(after.warnings == [])
            #expect(node.traced == ["new boot=0", "old boot=0", "next boot=0"])
            #expect(try await node.confirm(request).verdict?.verdict == .rolledBack)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: node.state).allSatisfy { !$0.hasPrefix("ended") })
        }

        @Test func theVerdictIsWrittenWhereRoomWasReservedForIt() async throws {
            let numbers = "\(node.path)/numbers"
            let script = "stat -c '%i %b' \(node.state)/spare-verdict > \(numbers); exit 1"
            let request = node.request(try await node.tracing("new", script))
            #expect(try await node.activate(request).verdict?.verdict == .rolledBack)
            let found = (readTextFile(numbers) ?? "").split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            try #require(found.count == 2)
            #expect(found[1] * 512 >= Journal.Spare.size)
            let journal = try FileManager.default.attributesOfItem(atPath: "\(node.state)/journal.json")
            #expect(journal[.systemFileNumber] as? Int == found[0])
        }

        /// Whichever runs, in the room that was made for it before the first one did.
        @Test func eachScriptIsNotedWhereRoomWasReservedForThat() async throws {
            let numbers = "\(node.path)/numbers"
            let script = "stat -c '%i %s' \(node.state)/script >>\(numbers); cat \(node.state)/script >>\(numbers)"
            try await node.generations([try await node.tracing("old", script + "; echo \" $$\" >>\(numbers)")])
            try? FileManager.default.removeItem(atPath: numbers)
            let request = node.request(try await node.tracing("new", script + "; echo \" $$\" >>\(numbers); exit 1"))
            #expect(try await node.activate(request).verdict?.verdict == .rolledBack)
            let lines = (readTextFile(numbers) ?? "").split(separator: "\n").map(String.init)
            try #require(lines.count == 4)
            let places = [lines[0], lines[2]].map { $0.split(separator: " ")[0] }
            #expect(places[0] == places[1])
            for (place, note) in [(lines[0], lines[1]), (lines[2], lines[3])] {
                let words = note.split(separator: " ").map(String.init)
                let identity = try JSONLine.decode(ProcessIdentity.self, from: words[0])
                #expect(String(identity.id) == words[1])
                #expect(place.hasSuffix(" \(words[0].utf8.count)"))
            }
            #expect(!FileManager.default.fileExists(atPath: "\(node.state)/script"))
        }

        private static let hasLimits = locateProgram("prlimit", path: currentEnvironment()["PATH"]) != nil
    }
}

@Test func anEventThatIsCutDoesNotSpoilTheNext() throws {
    let (read, write) = try Descriptor.pipe()
    try Descriptor.setNonBlocking(read)
    try Descriptor.setNonBlocking(write)
    let output = OwnedDescriptor(read)
    let log = EventLog(write)
    // More than a pipe takes at once.
    log.send(.output(stream: .stdout, line: String(repeating: "x", count: 1 << 20)))
    var lines = LineSplitter(limit: 4 << 20)
    func readOn() -> [String] {
        var buffer = [UInt8](repeating: 0, count: 65536)
        var found: [String] = []
        while case let count = Glibc.read(output.raw, &buffer, buffer.count), count > 0 {
            found += lines.add(buffer[..<count])
        }
        return found
    }
    #expect(readOn() == [])
    log.send(.warning("seen"))
    #expect(try readOn().last.map { try JSONLine.decode(AgentEvent.self, from: $0) } == .warning("seen"))
    close(write)
}
