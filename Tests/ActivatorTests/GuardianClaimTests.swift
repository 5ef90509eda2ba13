import Dispatch
import Glibc
import Shared
import Testing

@testable import Activator

extension AgentTests {
    /// Who decides whether a guardian that was called begins.
    @Suite struct GuardianClaimTests {
        let node: ScratchNode
        let folder: StateFolder

        init() throws {
            node = try ScratchNode()
            folder = try StateFolder.make(beside: ProfileLink(path: node.link))
        }

        @Test func whatWasTakenBackCannotBeTaken() throws {
            let claim = try GuardianClaim(in: folder)
            #expect(!claim.isTaken)
            #expect(claim.withdraw())
            #expect(try GuardianClaim.take(claim.token, in: folder) == nil)
            #expect(folderEntries(folder.path) == [])
        }

        @Test func whatWasTakenCannotBeTakenBackAndEndsWithItsTaker() throws {
            let claim = try GuardianClaim(in: folder)
            let pulse = try #require(try GuardianClaim.take(claim.token, in: folder))
            #expect(claim.isTaken)
            #expect(!claim.withdraw())
            #expect(try GuardianClaim.take(claim.token, in: folder) == nil)
            let copy = try OwnedDescriptor.highCopy(of: pulse.raw)
            pulse.close()
            let isLetGo = Flag()
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(50)) { @Sendable in
                isLetGo.set()
                copy.close()
            }
            claim.waitUntilEnded()
            #expect(isLetGo.isSet)
        }

        @Test func aNewClaimTakesBackWhatWasLeftBehind() throws {
            let left = try GuardianClaim(in: folder)
            let claim = try GuardianClaim(in: folder)
            #expect(left.isTaken)
            #expect(try GuardianClaim.take(left.token, in: folder) == nil)
            #expect(try GuardianClaim.take(claim.token, in: folder) != nil)
        }

        /// As systemd would run one whose starter has lost patience and started another.
        @Test func aGuardianThatComesLateDoesNothing() async throws {
            let link = try ProfileLink(path: node.link)
            try Journal(folder: folder).write(try Record(node.request(try await node.tracing("new")), link))
            let lock = try #require(
                try ProfileLock.tryTake(in: folder, for: LockHolder(deployer: "a", since: 0, closure: "c")))
            _ = try folder.open(EventLog.fileName, O_WRONLY | O_CREAT)
            let claim = try GuardianClaim(in: folder)
            #expect(claim.withdraw())
            let words = [ScratchNode.agent, "guardian", "watch", "begin", node.link, claim.token]
            var command = LocalCommand(words, environment: node.environment)
            command.input = .descriptor(lock.exclusion.descriptor.raw)
            command.output = .descriptor(lock.liveness.descriptor.raw)
            let result = try await command.run()
            #expect(result.exit == .code(1))
            #expect(result.errorText == "activate: error: whoever started this guardian has given it up")
            #expect(try node.journal()?.state == .staged)
            #expect(node.generation == nil)
            #expect(lock.isKept)
            // Handed something else than the locks, it is not even asked.
            command.input = .null
            #expect(try await command.run().exit == .code(2))
        }
    }
}
