import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    @Suite struct HistoryTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        private func status(history: Int) async throws -> ProfileStatus {
            let result = try await node.command(.status(StatusRequest([node.location], history: history))).run()
            return try JSONLine.decode(ProfileStatus.self, from: trimmed(result.text))
        }

        /// Activates as if logged in from this address, from below a program that hides it, as sudo does.
        private func activate(_ request: ActivateRequest, from address: String) async throws -> RunningAgent.End {
            var command = node.command(.activate(request))
            command.words = ["sh", "-c", #"env -u SSH_CONNECTION "$@"; exit $?"#, "sh"] + command.words
            command.environment["SSH_CONNECTION"] = "\(address) 50000 192.0.2.1 22"
            return try await RunningAgent(command).end()
        }

        @Test func itTellsWhoFromWhereWhatAndHowItEnded() async throws {
            let old = try await node.tracing("old")
            try await node.generations([old])
            var good = node.request(try await node.tracing("good", "echo fine"))
            good.magicRollback = false
            #expect(try await activate(good, from: "198.51.100.7").exit == .code(0))
            let bad = node.request(try await node.tracing("bad", "echo bad; exit 3"))
            #expect(try await activate(bad, from: "2001:db8::5").exit == .code(4))
            let history = try #require(try await status(history: 5).history)
            #expect(history.map(\.client) == ["2001:db8::5", "198.51.100.7"])
            #expect(history.map(\.closure) == [bad.closure, good.closure])
            #expect(history.map(\.deployer) == ["alice@laptop", "alice@laptop"])
            #expect(history.map(\.report.verdict) == [.rolledBack, .committed])
            #expect(history.map(\.previous?.number) == [2, 1])
            #expect(history.map(\.generation?.number) == [3, 2])
            #expect(history.map(\.lastLines) == [["bad"], ["fine"]])
            #expect(history.allSatisfy { ($0.endedAt ?? 0) >= $0.startedAt })
            #expect(try await status(history: 1).history == [history[0]])
            let plain = try await node.status()
            #expect(plain.history == nil)
            #expect(plain.failedGenerations == [3])
        }

        @Test func aFailedGenerationThatLaterHoldsIsNoLongerCalledFailed() async throws {
            try await node.generations([try await node.tracing("old")])
            let flaky = try await node.tracing("flaky", "[ -e \(node.path)/ready ]")
            #expect(try await node.activate(node.request(flaky)).exit == .code(4))
            #expect(try await node.status().failedGenerations == [2])
            try "".write(toFile: "\(node.path)/ready", atomically: false, encoding: .utf8)
            try await node.deploy(flaky)
            #expect(try await node.status().failedGenerations == [])
        }

        @Test func itIsBoundedInBytesToo() throws {
            let link = try ProfileLink(path: node.link)
            let folder = try StateFolder.make(beside: link)
            let journal = Journal(folder: folder)
            var record = try Record(node.request("/nix/store/x"), link)
            record.report = VerdictReport(.committed, generation: nil)
            record.lastLines = [String](repeating: String(repeating: "\u{1}", count: 500), count: 20)
            for number in 0..<20 {
                record.startedAt = number
                try journal.remember(record)
                let size = try #require(try folder.read(Journal.historyName, limit: 1 << 30)?.count)
                #expect(size <= Journal.historySize)
                #expect(journal.history().last?.startedAt == number)
            }
            record.reason = String(repeating: "x", count: Journal.historySize)
            try journal.remember(record)
            #expect(journal.history() == [record])
        }

        @Test func everyRecordFitsIntoTheRoomThatIsReservedForIt() throws {
            let log = EventLog(-1)
            // The ones that take the most room as JSON.
            for text in ["\u{1}", "\"", "\\", "ä"] {
                for _ in 0..<20 { log.send(.output(stream: .stdout, line: String(repeating: text, count: 1000))) }
                try expectToFit(log.lastLines, String(repeating: text, count: 100_000))
            }
        }

        private func expectToFit(_ lines: [String], _ reason: String) throws {
            var record = try Record(node.request("/nix/store/x"), ProfileLink(path: node.link))
            #expect(lines.count == 20)
            record.lastLines = lines
            // As long as systemd lets them be, of what is escaped in them.
            let unit = String(repeating: "\\", count: 255)
            record.criticalUnits = Array(repeating: unit, count: 16)
            record.progress.failedUnits = Array(repeating: unit, count: FailedUnits.unitLimit)
            record.reason = Record.bounded(reason)
            record.reboot = Record.Reboot(bootID: currentBootID(), why: Record.bounded(reason, 300))
            record.report = VerdictReport(
                .stuck, generation: nil, reason: record.reason, rollbackFailure: record.reason)
            #expect(try JSONLine.encode(record).utf8.count <= Journal.Spare.size)
        }
    }

    @Suite struct WaitLockTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        private func request(_ name: String, waitLock: Int) async throws -> ActivateRequest {
            var request = node.request(try await node.tracing(name))
            request.session?.deployer = "bob@desk"
            request.session?.waitLock = waitLock
            request.magicRollback = false
            return request
        }

        private func isWaiting(_ event: AgentEvent) -> Bool {
            if case .waitingForLock = event { true } else { false }
        }

        @Test func theSecondWaitsAndIsToldOnceForWhom() async throws {
            let first = node.request(try await node.tracing("first"))
            let one = try node.start(.activate(first))
            try await one.awaiting()
            let two = try node.start(.activate(try await request("second", waitLock: 100)))
            try await two.event(isWaiting)
            #expect(node.traced == ["first boot=0"])
            _ = try await node.confirm(first)
            #expect(try await one.end().exit == .code(0))
            let end = try await two.end()
            #expect(end.exit == .code(0))
            let holders = end.events.compactMap {
                if case .waitingForLock(let holder, 100) = $0 { holder } else { nil }
            }
            #expect(holders.map(\.deployer) == ["alice@laptop"])
            #expect(holders.map(\.nonce) == [first.session?.nonce])
            #expect(end.events.contains(.started(previous: Generation(number: 1, path: first.closure))))
            #expect(node.traced == ["first boot=0", "second boot=0"])
        }

        @Test func afterItsTimeItIsRefused() async throws {
            let first = node.request(try await node.tracing("first"))
            let one = try node.start(.activate(first))
            try await one.awaiting()
            let end = try await node.activate(try await request("second", waitLock: 1))
            #expect(end.exit == .code(ExitCode.locked.rawValue))
            #expect(end.events.count { isWaiting($0) } == 1)
            #expect(
                end.events.contains {
                    if case .locked(let holder) = $0 { holder.deployer == "alice@laptop" } else { false }
                })
            _ = try await node.confirm(first)
            #expect(try await one.end().exit == .code(0))
            #expect(node.traced == ["first boot=0"])
        }

        @Test func aHolderThatIsKilledMakesWayAndIsFinishedFirst() async throws {
            try await node.generations([try await node.tracing("old")])
            let one = try node.start(.activate(node.request(try await node.tracing("first"))))
            try await one.awaiting()
            let two = try node.start(.activate(try await request("second", waitLock: 100)))
            try await two.event(isWaiting)
            let guardian = try #require(try node.journal()?.guardian)
            one.process.signal(SIGKILL)
            _ = await one.process.exit()
            kill(guardian.id, SIGKILL)
            #expect(try await two.end().exit == .code(0))
            #expect(node.traced == ["first boot=0", "old boot=0", "second boot=0"])
        }
    }
}
