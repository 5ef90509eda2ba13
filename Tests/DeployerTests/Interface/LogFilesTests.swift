import Foundation
import Shared
import Testing

@testable import Deployer

struct LogFilesTests {
    @Test func aFolderThatCannotBeWrittenToIsRefused() async throws {
        try await withScratchFolder { folder in
            try FileManager.default.createDirectory(atPath: folder + "/deploy.log", withIntermediateDirectories: true)
            #expect(throws: SystemError("open", folder + "/deploy.log", number: EISDIR)) {
                _ = try LogFiles(folder: folder)
            }
        }
    }

    @Test func aFullDiskIsKeptInMindAndTheRestWritten() async throws {
        try await withScratchFolder { folder in
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/web1.log", withDestinationPath: "/dev/full")
            let logs = try LogFiles(folder: folder)
            logs.add("one", node: nil)
            #expect(logs.failure == nil)
            logs.add("two", node: NodeName("web1"))
            logs.add("three", node: NodeName("web1"))
            #expect(logs.failure == SystemError("write", folder + "/web1.log", number: ENOSPC))
            let text = try String(contentsOfFile: folder + "/deploy.log", encoding: .utf8)
            #expect(text.split(separator: "\n").map { $0.split(separator: " ").last } == ["one", "two", "three"])
        }
    }
}
