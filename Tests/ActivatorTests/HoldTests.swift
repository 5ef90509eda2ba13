import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    @Suite struct HoldTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        private var folder: String { "\(node.path)/state/gcroots/deploy-swift" }
        private var held: [String] { folderEntries(folder).compactMap { linkTarget("\(folder)/\($0)") }.sorted() }

        private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

        @Test func whatIsHeldIsNotCollected() async throws {
            let paths = [try await node.tracing("one"), try await node.tracing("two")].sorted()
            let loose = try await node.tracing("loose")
            let end = try await node.run(.hold(paths))
            #expect(end.exit == .code(0), "\(end.errorOutput)")
            #expect(end.output == "")
            #expect(held == paths)
            try await node.nix(["nix-store", "--gc"])
            #expect(paths.allSatisfy(exists))
            #expect(!exists(loose))
        }

        @Test func nothingPilesUp() async throws {
            let paths = [try await node.tracing("one"), try await node.tracing("two")].sorted()
            for _ in 0..<3 { _ = try await node.run(.hold(paths + paths)) }
            #expect(held == paths)
            let past = timeval(tv_sec: time(nil) - 90_000, tv_usec: 0)
            for name in folderEntries(folder) {
                #expect(lutimes("\(folder)/\(name)", [past, past]) == 0)
            }
            let other = try await node.tracing("other")
            _ = try await node.run(.hold([other]))
            #expect(held == [other])
        }

        @Test func anActivationLetsGoOfItsClosureAlone() async throws {
            let paths = [try await node.tracing("one"), try await node.tracing("two")]
            _ = try await node.run(.hold(paths))
            try await node.deploy(paths[0])
            #expect(held == [paths[1]])
        }

        @Test func aPathThatIsNotThereIsNamed() async throws {
            let path = "\(node.path)/store/\(String(repeating: "0", count: 32))-none"
            let end = try await node.run(.hold([path]))
            #expect(end.exit == .code(1))
            #expect(end.errorOutput.contains("\(path) is not on this node"))
        }
    }
}
