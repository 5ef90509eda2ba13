import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    @Suite struct ConfirmTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        @Test func confirmingTwiceIsHarmless() async throws {
            let request = node.request(try await node.tracing("new"))
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            async let first = node.confirm(request)
            async let second = node.confirm(request)
            #expect(try await first.verdict?.verdict == .committed)
            #expect(try await second.verdict?.verdict == .committed)
            #expect(try await node.confirm(request).exit == .code(0))
            #expect(try await agent.end().events.filter { if case .verdict = $0 { true } else { false } }.count == 1)
        }

        @Test func aWrongNonceConfirmsNothing() async throws {
            try await node.generations([try await node.tracing("old")])
            let agent = try node.start(.activate(node.request(try await node.tracing("new"), confirmTimeout: 1)))
            try await agent.awaiting()
            let wrong = try await node.confirm(node.request("/"))
            #expect(wrong.exit == .code(1))
            #expect(wrong.events == [])
            #expect(wrong.errorOutput.contains("no activation of this nonce"))
            #expect(try await agent.end().verdict?.verdict == .rolledBack)
        }

        @Test func whereNothingWasActivatedThereIsNothingToConfirm() async throws {
            let end = try await node.confirm(node.request("/"))
            #expect(end.exit == .code(1))
            #expect(end.errorOutput.contains("nothing was activated there"))
        }

        @Test func aConfirmationThatRacesAheadWaits() async throws {
            let request = node.request(try await node.tracing("new", "echo waiting; sleep 0.3"))
            let agent = try node.start(.activate(request))
            try await agent.line("waiting")
            #expect(try await node.confirm(request).verdict?.verdict == .committed)
            #expect(try await agent.end().exit == .code(0))
        }

        private func observation(_ request: ActivateRequest, awaitsStart: Bool = false) -> AgentCommand {
            var observation = ConfirmRequest(profile: request.profile, nonce: request.session?.nonce ?? "")
            observation.observes = true
            observation.awaitsStart = awaitsStart
            return .confirm(observation)
        }

        @Test func whoOnlyObservesIsToldThatItCanBeConfirmedAndThenHowItEnded() async throws {
            let request = node.request(try await node.tracing("new", "echo waiting; sleep 0.3"))
            let agent = try node.start(.activate(request))
            try await agent.line("waiting")
            let seen = try await node.run(observation(request))
            guard case .awaitingConfirmation(let seconds) = seen.events.first, seen.events.count == 1 else {
                Issue.record("expected that it waits: \(seen.events)")
                return
            }
            #expect(seconds <= request.confirmTimeout)
            #expect(seen.exit == .code(ExitCode.unknown.rawValue))
            #expect(try node.journal()?.state == .awaitingConfirmation)
            #expect(try await node.confirm(request).verdict?.verdict == .committed)
            #expect(try await node.run(observation(request)).verdict?.verdict == .committed)
            #expect(try await agent.end().exit == .code(0))
        }

        @Test func whatHasNotBegunIsForbiddenUnlessItIsAwaited() async throws {
            let request = node.request(try await node.tracing("new"))
            let observer = try node.start(observation(request, awaitsStart: true))
            try await observer.shows { observer.heartbeats > 1 }
            let agent = try node.start(.activate(request))
            let seen = try await observer.end().events
            guard case .awaitingConfirmation = seen.first else {
                Issue.record("expected that it waits: \(seen)")
                return
            }
            #expect(try await node.confirm(request).verdict?.verdict == .committed)
            #expect(try await agent.end().exit == .code(0))
            let other = node.request(try await node.tracing("other"))
            #expect(try await node.run(observation(other)).errorOutput.contains("no activation of this nonce"))
            #expect(try await node.activate(other).verdict?.verdict == .failed)
        }

        @Test func whatIsForbiddenIsNotAwaitedAnyMore() async throws {
            let request = node.request(try await node.tracing("new"))
            let observer = try node.start(observation(request, awaitsStart: true))
            try await observer.shows { observer.heartbeats > 0 }
            #expect(try await node.run(observation(request)).errorOutput.contains("no activation of this nonce"))
            #expect(try await observer.end().errorOutput.contains("no activation of this nonce"))
        }

        /// As where its deployer was killed: what it waits for may never begin.
        @Test func anObserverEndsWithItsReader() async throws {
            let request = node.request(try await node.tracing("new"))
            var observer = node.command(observation(request, awaitsStart: true))
            observer.words = ["sh", "-c", "{ \(shellQuoted(observer.words)); echo $? >\(node.trace); } | head -c 1"]
            let result = try await observer.run()
            #expect(result.text == "{")
            #expect(node.traced == ["\(ExitCode.unknown.rawValue)"])
        }

        @Test func anActivationAndItsConfirmationGiveSignsOfLife() async throws {
            let request = node.request(try await node.tracing("new"))
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            try await agent.shows { agent.heartbeats > 1 }
            _ = try await node.confirm(request)
            _ = try await agent.end()
        }

        @Test func aCanaryThatIsMerelyGoneConfirmsNothing() async throws {
            try await node.generations([try await node.tracing("old")])
            let request = node.request(try await node.tracing("new"), confirmTimeout: 1)
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            let canary = try #require(try node.journal()).canary
            try FileManager.default.removeItem(atPath: "\(node.state)/\(canary)")
            #expect(try await node.confirm(request).exit == .code(4))
            #expect(try await agent.end().verdict?.verdict == .rolledBack)
        }

        /// As where other programs have taken all instances that a user may have.
        @Test(.enabled(if: canLackInotify, "needs unshare and user namespaces"))
        func withoutInotifyItIsConfirmedAllTheSame() async throws {
            let request = node.request(try await node.tracing("new"))
            // The namespace has no such group, to which Nix would give the store.
            let settings = "\(node.path)/conf/nix.conf"
            try "build-users-group =\n".write(toFile: settings, atomically: false, encoding: .utf8)
            let agent = try RunningAgent(withoutInotify(.activate(request)))
            try await agent.awaiting()
            let folder = "/proc/\(try node.guardian())/fd"
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            let open = names.compactMap { linkTarget("\(folder)/\($0)") }
            #expect(!open.isEmpty && !open.contains { $0.contains("inotify") }, "\(open)")
            let confirmation = ConfirmRequest(profile: node.location, nonce: request.session?.nonce ?? "")
            let end = try await RunningAgent(withoutInotify(.confirm(confirmation))).end()
            #expect(end.verdict?.verdict == .committed)
            #expect(try await agent.end().exit == .code(0))
        }

        private func withoutInotify(_ agent: AgentCommand) -> LocalCommand {
            var command = node.command(agent)
            command.words = Self.lackingInotify + command.words
            return command
        }

        private static let lackingInotify = [
            "unshare", "--user", "--map-root-user", "sh", "-c",
            #"echo 0 >/proc/sys/user/max_inotify_instances && exec "$@""#, "sh",
        ]
        private static let canLackInotify =
            Process.runQuietly(lackingInotify[0], lackingInotify.dropFirst() + ["true"]) == 0

        @Test func anEarlierActivationIsStillKnownByItsNonce() async throws {
            let first = try await node.deploy(try await node.tracing("one"))
            try await node.deploy(try await node.tracing("two"))
            let end = try await node.confirm(first)
            #expect(end.exit == .code(0))
            #expect(end.verdict?.generation?.number == 1)
        }

        @Test func aStoppedGuardianThatIsConfirmedInTimeCommits() async throws {
            try await node.generations([try await node.tracing("old")])
            let request = node.request(try await node.tracing("new"), confirmTimeout: 1)
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            let record = try #require(try node.journal())
            let guardian = try #require(record.guardian)
            kill(guardian.id, SIGSTOP)
            let confirmation = try node.start(
                .confirm(ConfirmRequest(profile: node.location, nonce: request.session?.nonce ?? "")))
            // The confirmation has won once the canary has its new name, however late the guardian looks.
            let link = try ProfileLink(path: node.link)
            let folder = try #require(try StateFolder.find(beside: link))
            for await _ in ChangeWatch(folder).wakes where folder.contains(record.confirmed) { break }
            await untilBootTime(try #require(record.deadline))
            kill(guardian.id, SIGCONT)
            #expect(try await confirmation.end().verdict?.verdict == .committed)
            #expect(try await agent.end().verdict?.verdict == .committed)
        }

        @Test func theHistoryIsKeptAndBounded() async throws {
            try await node.deploy(try await node.tracing("one"))
            var failing = node.request(try await node.tracing("two", "exit 1"))
            failing.session?.deployer = "bob@desk"
            _ = try await node.activate(failing)
            let folder = try #require(try StateFolder.find(beside: ProfileLink(path: node.link)))
            let journal = Journal(folder: folder)
            // The newest joins it when the next takes its place.
            #expect(journal.history().map(\.state) == [.committed])
            var record = try #require(try journal.read())
            try journal.remember(record)
            #expect(journal.history().map(\.state) == [.committed, .rolledBack])
            #expect(journal.history().map(\.deployer) == ["alice@laptop", "bob@desk"])
            for second in 0..<100 {
                record.startedAt = second
                try journal.remember(record)
                try journal.remember(record)
            }
            #expect(journal.history().count == Journal.historyLength)
            #expect(journal.history().last?.startedAt == 99)
        }
    }
}
