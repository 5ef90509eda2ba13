import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    /// What a garbage collection finds while an activation has no verdict yet.
    @Suite struct WindowTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

        @Test func anOldGenerationThatWasDeletedIsStillThereToGoBackTo() async throws {
            let old = try await node.tracing("old")
            try await node.generations([old])
            let request = node.request(try await node.tracing("new"), confirmTimeout: 3)
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            try FileManager.default.removeItem(atPath: "\(node.link)-1-link")
            let loose = try await node.tracing("loose")
            try await node.nix(["nix-collect-garbage"])
            #expect(!exists(loose) && exists(old))
            let end = try await agent.end()
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(end.verdict?.generation?.path == old)
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        /// No test can send the machine to sleep, but the kernel tells by which clock a timer goes.
        @Test func itsLimitsCountTheTimeThatTheMachineSleeps() async throws {
            let pipe = "\(node.path)/go"
            #expect(mkfifo(pipe, 0o600) == 0)
            let closure = try await node.tracing("new", "echo waiting; read x < \(pipe)")
            var request = node.request(closure, confirmTimeout: 6000)
            request.session?.activationTimeout = 9000
            let agent = try node.start(.activate(request))
            try await agent.line("waiting")
            let guardian = try node.guardian()
            #expect(try clocks(of: guardian, ofTimersWithin: 8000...9000) == [CLOCK_BOOTTIME])
            try "go\n".write(toFile: pipe, atomically: false, encoding: .utf8)
            try await agent.awaiting()
            #expect(try clocks(of: guardian, ofTimersWithin: 5000...6000) == [CLOCK_BOOTTIME])
            #expect(try await node.confirm(request).verdict?.verdict == .committed)
            _ = try await agent.end()
        }

        /// The clocks of a process's timers that have so many seconds left.
        private func clocks(of id: Int32, ofTimersWithin seconds: ClosedRange<Int>) throws -> [Int32] {
            let folder = "/proc/\(id)/fdinfo"
            return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { number in
                let lines = (readTextFile("\(folder)/\(number)") ?? "").split(separator: "\n")
                func value(_ name: String) -> Int? {
                    let line = lines.first { $0.hasPrefix(name) }
                    return line?.split { !$0.isNumber }.first.flatMap { Int($0) }
                }
                guard let left = value("it_value:"), seconds.contains(left) else { return nil }
                return value("clockid:").map(Int32.init)
            }
        }

        @Test func aSystemThatNoProfileHasYetIsHeldUntilItsVerdict() async throws {
            let files = [NixOSSystem.switchName: "true"]
            try await node.generations([try await node.closure("old", nil, files: files)])
            for isConfirmed in [true, false] {
                let new = try await node.closure("new-\(isConfirmed)", nil, files: files)
                let request = node.request(new, confirmTimeout: isConfirmed ? 60 : 3)
                let agent = try node.start(.activate(request))
                try await agent.awaiting()
                try await node.nix(["nix-collect-garbage"])
                #expect(exists(new))
                if isConfirmed { _ = try await node.confirm(request) }
                #expect(try await agent.end().verdict?.verdict == (isConfirmed ? .committed : .rolledBack))
                // Nothing of ours holds it for longer.
                try await node.nix(["nix-collect-garbage"])
                #expect(exists(new) == isConfirmed)
            }
        }
    }
}
