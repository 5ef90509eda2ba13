import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    /// While one still finishes what another left, it holds the profile although nothing of its own is written down.
    @Suite struct HolderTests {
        let node: ScratchNode
        /// Whoever reads from it waits until the test writes to it.
        let gate: String

        init() throws {
            node = try ScratchNode()
            gate = "\(node.path)/gate"
            #expect(mkfifo(gate, 0o600) == 0)
        }

        /// Leaves an activation that died after its script had started; putting it back waits at the gate.
        private func leaveInterrupted() async throws {
            let old = try await node.tracing("old", "echo waiting; read x < \(gate)")
            let new = try await node.tracing("new")
            try await node.generations([old])
            let link = try ProfileLink(path: node.link)
            var record = try Record(node.request(new), link)
            record.state = .activating
            record.progress.settingProfile = true
            record.progress.scriptStarted = true
            try await node.generations([new])
            record.progress.profileSet = try link.generation()
            try Journal(folder: StateFolder.make(beside: link)).write(record)
        }

        private func openGate() throws { try "go\n".write(toFile: gate, atomically: false, encoding: .utf8) }

        private func request() async throws -> ActivateRequest {
            var request = node.request(try await node.tracing("next"))
            request.session?.deployer = "bob@desk"
            request.magicRollback = false
            return request
        }

        private func confirmation(_ request: ActivateRequest) throws -> RunningAgent {
            try node.start(.confirm(ConfirmRequest(profile: node.location, nonce: request.session?.nonce ?? "")))
        }

        @Test func whoHoldsTheProfileIsToldBeforeAnythingIsStaged() async throws {
            try await leaveInterrupted()
            let request = try await request()
            let agent = try node.start(.activate(request))
            try await agent.line("waiting")
            let status = try await node.status()
            #expect(status.holder?.nonce == request.session?.nonce)
            #expect(status.holder?.closure == request.closure)
            #expect(status.activation?.nonce != request.session?.nonce)
            let other = try await node.activate(node.request(request.closure))
            #expect(other.exit == .code(ExitCode.locked.rawValue))
            #expect(other.events == [.locked(try #require(status.holder))])
            #expect(status.holder?.deployer == "bob@desk")
            let confirmation = try confirmation(request)
            try openGate()
            #expect(try await agent.end().verdict?.verdict == .committed)
            #expect(try await confirmation.end().verdict?.verdict == .committed)
            #expect(try await node.status().holder == nil)
        }

        @Test func oneWhoseDeployerIsGoneStartsNothing() async throws {
            try await leaveInterrupted()
            let request = try await request()
            let (read, write) = try Descriptor.pipe()
            var command = node.command(.activate(request))
            command.output = .descriptor(write)
            let process = try LocalProcess.start(command)
            Glibc.close(write)
            // What it finishes first is at the gate then, and the profile held.
            var said = ""
            var buffer = [UInt8](repeating: 0, count: 4096)
            while !said.contains("waiting") {
                let count = Glibc.read(read, &buffer, buffer.count)
                try #require(count > 0)
                said += String(decoding: buffer[..<count], as: UTF8.self)
            }
            Glibc.close(read)
            let confirmation = try confirmation(request)
            try openGate()
            #expect(await process.exit() == .code(ExitCode.failed.rawValue))
            let end = try await confirmation.end()
            #expect(end.verdict?.verdict == .failed)
            #expect(end.verdict?.reason?.contains("contact with the deployer was lost") == true)
            #expect(end.verdict?.generation?.number == 1)
            #expect(node.traced == ["old boot=0"])
            #expect(node.generation == 1)
        }

        @Test func whoIsToldThatNothingWasChangedIsNotProvedWrongLater() async throws {
            try await node.generations([try await node.tracing("old")])
            let request = try await request()
            let told = try await node.confirm(request)
            #expect(told.exit == .code(1))
            #expect(told.events == [])
            #expect(told.errorOutput.contains("did not change the profile \(node.link)"))
            #expect(told.errorOutput.contains("on generation 1 ("))
            let late = try await node.activate(request)
            #expect(late.verdict?.verdict == .failed)
            #expect(late.verdict?.reason?.contains("given it up") == true)
            #expect(node.traced == [])
            #expect(try await node.activate(self.request()).verdict?.verdict == .committed)
        }

        /// The program that sets the profile goes on when the guardian is killed; it must not move the link later.
        @Test func aNixEnvThatOutlivesItsGuardianIsEnded() async throws {
            try await node.generations([try await node.tracing("old")])
            let programs = "\(node.path)/bin"
            try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: false)
            let real = try #require(locateProgram("nix-env", path: node.environment["PATH"]))
            let script =
                "#!/bin/sh\necho $$ $PPID > \(node.path)/ids.new; mv \(node.path)/ids.new \(node.path)/ids\n"
                + "read x < \(gate); exec \(real) \"$@\"\n"
            try script.write(toFile: "\(programs)/nix-env", atomically: false, encoding: .utf8)
            chmod("\(programs)/nix-env", 0o755)
            let watch = ChangeWatch(folders: [node.path])
            var command = node.command(.activate(try await request()))
            command.environment["PATH"] = "\(programs):\(node.environment["PATH"] ?? "")"
            let agent = try RunningAgent(command)
            for await _ in watch.wakes where readTextFile("\(node.path)/ids") != nil { break }
            withExtendedLifetime(watch) {}
            let ids = (readTextFile("\(node.path)/ids") ?? "").split(whereSeparator: \.isWhitespace).compactMap {
                Int32($0)
            }
            try #require(ids.count == 2)
            // The guardian has noted it before it began.
            #expect(readTextFile("\(node.state)/script")?.contains("\(ids[0])") == true)
            try await node.killAll(agent, guardian: ids[1])
            let end = try await node.run(.recover([node.location]))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(ProcessIdentity(of: ids[0]) == nil)
            #expect(node.generation == 1)
        }

        @Test func anAgentThatIsGoneBeforeItsFirstWordHasChangedNothing() async throws {
            try await node.generations([try await node.tracing("old")])
            let request = try await request()
            let (read, write) = try Descriptor.pipe()
            Glibc.close(read)
            var command = node.command(.activate(request))
            command.output = .descriptor(write)
            let process = try LocalProcess.start(command)
            Glibc.close(write)
            #expect(await process.exit() == .code(ExitCode.failed.rawValue))
            #expect(try await node.confirm(request).verdict?.verdict == .failed)
            #expect(node.traced == [])
            #expect(node.generation == 1)
        }
    }
}
