import Foundation
import Shared
import Testing

@testable import Deployer

struct AgentMemoryTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/agent-memory-\(UUID().uuidString.prefix(8))"
    private let path = "/nix/store/\(String(repeating: "a", count: 32))-deploy-swift-agent"
    private var memory: AgentMemory { AgentMemory(environment: ["XDG_CACHE_HOME": folder]) }

    private func withFolder(_ work: () throws -> Void) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer {
            // A left-over temporary folder harms nobody.
            try? FileManager.default.removeItem(atPath: folder)
        }
        try work()
    }

    /// A file that has not changed for long.
    private func settled() throws -> FileIdentity { try #require(FileIdentity(of: "/bin/sh")) }

    @Test func onlyAProgramIsSentAsAnAgent() async throws {
        for (file, expected) in [
            ("/etc/passwd", AgentBinaryError.noProgram("/etc/passwd")), ("/nowhere", .unreadable("/nowhere")),
        ] {
            await #expect(throws: expected) {
                _ = try await AgentBinary.find(file: file, program: "/bin/deploy")
            }
        }
    }

    @Test func theSameFileHasTheSamePath() throws {
        try withFolder {
            let file = try settled()
            #expect(memory.path(of: file) == nil)
            memory.remember(path, of: file)
            #expect(memory.path(of: file) == path)
            let other = AgentMemory(environment: ["XDG_CACHE_HOME": folder, "NIX_STORE_DIR": "/other"])
            #expect(other.path(of: file) == nil)
        }
    }

    @Test func aFileOfTheSameSizeAndTimeIsAnother() throws {
        try withFolder {
            let file = folder + "/activate"
            try Data("one".utf8).write(to: URL(fileURLWithPath: file))
            let first = try #require(FileIdentity(of: file))
            let time = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate]
            // The clock of files has steps.
            while FileIdentity(of: file)?.changed == first.changed {
                let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
                try handle.write(contentsOf: Data("two".utf8))
                try handle.close()
                try FileManager.default.setAttributes([.modificationDate: time as Any], ofItemAtPath: file)
            }
            let second = try #require(FileIdentity(of: file))
            #expect(second.inode == first.inode && second.size == first.size)
            #expect(second != first)
        }
    }

    @Test func whatChangedJustNowIsNotRemembered() throws {
        try withFolder {
            let file = folder + "/activate"
            try Data("one".utf8).write(to: URL(fileURLWithPath: file))
            let identity = try #require(FileIdentity(of: file))
            memory.remember(path, of: identity)
            #expect(memory.path(of: identity) == nil)
        }
    }

    @Test func anUnusableMemoryIsNone() throws {
        try withFolder {
            let file = try settled()
            memory.remember(path, of: file)
            let place = try #require(memory.place)
            chmod(place, 0o666)
            #expect(memory.path(of: file) == nil)
            chmod(place, 0o600)
            #expect(memory.path(of: file) == path)
            try Data("{\nno json\n".utf8).write(to: URL(fileURLWithPath: place))
            #expect(memory.path(of: file) == nil)
            // Something else than an agent's path is never believed.
            memory.remember("/etc", of: file)
            #expect(memory.path(of: file) == nil)
        }
    }
}
