import Foundation
import Shared
import Testing

@testable import Activator

extension AgentTests {
    @Suite struct RecoveryTests {
        let node: ScratchNode

        init() throws { node = try ScratchNode() }

        @Test func theGuardianOutlivesItsRelay() async throws {
            try await node.generations([try await node.tracing("old")])
            let pipe = "\(node.path)/go"
            #expect(mkfifo(pipe, 0o600) == 0)
            let request = node.request(try await node.tracing("new", "echo waiting; read x < \(pipe); echo on"))
            let agent = try node.start(.activate(request))
            try await agent.line("waiting")
            agent.process.signal(SIGKILL)
            #expect(try await agent.end().exit == .signal(9))
            try "go\n".write(toFile: pipe, atomically: false, encoding: .utf8)
            #expect(try await node.confirm(request).verdict?.verdict == .committed)
            #expect(try node.journal()?.lastLines == ["waiting", "on"])
        }

        @Test func theGuardianHeedsNoSignalsButKill() async throws {
            let request = node.request(try await node.tracing("new"))
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            let guardian = try #require(try node.journal()?.guardian)
            for number in [SIGHUP, SIGPIPE, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2] { kill(guardian.id, number) }
            let watcher = try node.watcher()
            for number in [SIGHUP, SIGPIPE, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2] { kill(watcher, number) }
            #expect(getsid(guardian.id) == guardian.id)
            #expect(getsid(watcher) == watcher)
            #expect(try await node.confirm(request).verdict?.verdict == .committed)
            #expect(try await agent.end().exit == .code(0))
        }

        @Test func aGuardianThatDiesIsReplacedByItsWatcher() async throws {
            try await node.generations([try await node.tracing("old")])
            let agent = try node.start(.activate(node.request(try await node.tracing("new"))))
            try await agent.awaiting()
            kill(try node.guardian(), SIGKILL)
            let end = try await agent.end()
            #expect(end.exit == .code(4))
            #expect(end.verdict?.reason == "interrupted before it was confirmed")
            let warning = "the guardian died before its verdict (signal 9 (KILL)): another one finishes its work"
            #expect(end.warnings == [warning])
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        /// As after an out-of-memory kill with the login gone too: nobody comes who could ask.
        @Test func aGuardianThatDiesIsReplacedThoughNobodyAsks() async throws {
            try await node.generations([try await node.tracing("old")])
            let agent = try node.start(.activate(node.request(try await node.tracing("new"))))
            try await agent.awaiting()
            agent.process.signal(SIGKILL)
            _ = await agent.process.exit()
            let folder = try #require(try StateFolder.find(beside: ProfileLink(path: node.link)))
            kill(try node.guardian(), SIGKILL)
            try FileLock.waitUntilFree(ProfileLock.livenessName, in: folder)
            #expect(try node.journal()?.report?.verdict == .rolledBack)
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        /// By the next boot, or by whoever asks how it ended.
        @Test(arguments: [true, false])
        func whatWasLeftBehindAfterAVerdictIsTakenAway(isAsked: Bool) async throws {
            let request = try await node.deploy(try await node.tracing("new"))
            let clean = Set(try FileManager.default.contentsOfDirectory(atPath: node.state))
            let nonce = try #require(request.session?.nonce)
            for name in ["spare-undo", "spare-verdict", "script", "confirmed-\(nonce)", "revocation-\(nonce)"] {
                try "left".write(toFile: "\(node.state)/\(name)", atomically: false, encoding: .utf8)
            }
            #expect(symlink(request.closure, "\(node.state)/root-2") == 0)
            let end = isAsked ? try await node.confirm(request) : try await node.run(.recover([node.location]))
            #expect(end.exit == .code(0))
            #expect(Set(try FileManager.default.contentsOfDirectory(atPath: node.state)) == clean)
            #expect(try node.journal()?.state == .committed)
            #expect(node.traced == ["new boot=0"])
        }

        /// Killed with its watcher once the verdict was written down, and nothing more was done.
        @Test func aVerdictThatWasOnlyWrittenDownIsToldAndNothingIsLeft() async throws {
            let agent = try node.start(.activate(node.request(try await node.tracing("new"))))
            try await agent.awaiting()
            let (guardian, watcher) = (try node.guardian(), try node.watcher())
            kill(guardian, SIGSTOP)
            let folder = try #require(try StateFolder.find(beside: ProfileLink(path: node.link)))
            var record = try #require(try node.journal())
            record.state = .committed
            record.report = VerdictReport(.committed, generation: record.progress.profileSet)
            try Journal(folder: folder).write(record)
            for process in [watcher, guardian] { kill(process, SIGKILL) }
            #expect(try await agent.end().verdict?.verdict == .committed)
            let files = Set(try FileManager.default.contentsOfDirectory(atPath: node.state))
            #expect(files == ["alive", "events", "guardian.log", "journal.json", "lock"])
        }

        /// As where a whole login is ended: also those die who finish the work of the dead.
        @Test func whereAllDieNoVerdictIsTold() async throws {
            let killer =
                "echo old >> \(node.trace); [ $(grep -c old \(node.trace)) = 3 ] && exit; "
                + "kill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat) $PPID; sleep 100"
            let old = try await node.closure("old", killer)
            try await node.generations([old])
            let end = try await node.activate(node.request(try await node.tracing("new", "exit 1")))
            #expect(end.verdict == nil)
            #expect(end.exit == .code(7))
            #expect(end.warnings.last?.contains("the guardian and its watcher died before the verdict") == true)
            #expect(try node.journal()?.state == .rollingBack)
            let recovered = try await node.run(.recover([node.location]))
            #expect(recovered.verdict?.verdict == .rolledBack)
            #expect(recovered.verdict?.generation == Generation(number: 1, path: old))
            #expect(node.traced == ["new boot=0", "old", "old", "old"])
        }

        @Test func aGuardianThatDiesAgainAndAgainIsNotReplacedForEver() async throws {
            let killer = "echo old >> \(node.trace); kill -9 $PPID; sleep 100"
            try await node.generations([try await node.closure("old", killer)])
            let agent = try node.start(.activate(node.request(try await node.tracing("new"))))
            try await agent.awaiting()
            let guardian = try node.guardian()
            agent.process.signal(SIGKILL)
            _ = await agent.process.exit()
            let folder = try #require(try StateFolder.find(beside: ProfileLink(path: node.link)))
            kill(guardian, SIGKILL)
            try FileLock.waitUntilFree(ProfileLock.livenessName, in: folder)
            #expect(try node.journal()?.state == .rollingBack)
            #expect(node.traced.filter { $0 == "old" }.count == 3)
            // Whoever comes next gets on with it: it tries as often, then says so.
            let end = try await node.run(.recover([node.location]))
            #expect(end.verdict == nil)
            #expect(end.exit == .code(7))
            #expect(end.warnings.last?.contains("4 guardians died one after the other") == true)
        }

        @Test func aGuardianLivesOnWithoutItsWatcher() async throws {
            let request = node.request(try await node.tracing("new"))
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            kill(try node.watcher(), SIGKILL)
            #expect(try await node.confirm(request).verdict?.verdict == .committed)
            let end = try await agent.end()
            #expect(end.exit == .code(0))
            #expect(end.warnings == [])
        }

        @Test func aRelayThatSeesGuardianAndWatcherDieFinishesTheWork() async throws {
            try await node.generations([try await node.tracing("old")])
            let agent = try node.start(.activate(node.request(try await node.tracing("new"))))
            try await agent.awaiting()
            let guardian = try node.guardian()
            kill(try node.watcher(), SIGKILL)
            kill(guardian, SIGKILL)
            let end = try await agent.end()
            #expect(end.exit == .code(4))
            #expect(end.verdict?.reason == "interrupted before it was confirmed")
            #expect(end.warnings.contains { $0.contains("died before its verdict") })
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        @Test func theNextDeployFinishesFirstAndSaysSo() async throws {
            let old = try await node.tracing("old")
            try await node.generations([old])
            let agent = try node.start(.activate(node.request(try await node.tracing("new"))))
            try await agent.awaiting()
            try await node.killAll(agent)
            let status = try await node.status()
            #expect(status.activation?.state == .awaitingConfirmation)
            #expect(status.activation?.isGuarded == false)
            var next = node.request(try await node.tracing("next"))
            next.magicRollback = false
            let end = try await node.activate(next)
            #expect(end.exit == .code(0))
            #expect(end.warnings.count == 2)
            #expect(end.warnings.last?.contains("ended as rolledBack") == true)
            // Of the interrupted one, which had no limit of its own: the standard one, and that for its link.
            #expect(end.events.contains(.recovering(seconds: 240 + 300)))
            #expect(end.events.contains(.started(previous: Generation(number: 1, path: old))))
            #expect(node.traced == ["new boot=0", "old boot=0", "next boot=0"])
        }

        @Test func recoverRollsBackWhatWasInterrupted() async throws {
            try await node.generations([try await node.tracing("old")])
            let request = node.request(try await node.tracing("new"))
            let agent = try node.start(.activate(request))
            try await agent.awaiting()
            try await node.killAll(agent)
            let end = try await node.run(.recover([node.location, .path("\(node.path)/home/none")]))
            #expect(end.exit == .code(0))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(node.generation == 1)
            #expect(try await node.run(.recover([node.location])).events == [])
            #expect(try await node.confirm(request).exit == .code(4))
        }

        @Test func aConfirmationThatFindsTheGuardianDeadIsToldTheTruth() async throws {
            try await node.generations([try await node.tracing("old")])
            let request = node.request(try await node.tracing("new", "echo waiting; sleep 100"))
            let agent = try node.start(.activate(request))
            try await agent.line("waiting")
            let confirmation = try node.start(
                .confirm(ConfirmRequest(profile: node.location, nonce: request.session?.nonce ?? "")))
            try await node.killAll(agent)
            let end = try await confirmation.end()
            #expect(end.exit == .code(4))
            #expect(end.verdict?.reason == "interrupted during activation")
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        @Test func anActivationThatStillRunsIsEndedFirst() async throws {
            try await node.generations([try await node.tracing("old")])
            let script = "echo $$; sleep 100; echo late >> \(node.trace)"
            let agent = try node.start(.activate(node.request(try await node.tracing("new", script))))
            try await agent.event { if case .output = $0 { true } else { false } }
            guard case .output(_, let line)? = agent.events.last, let id = Int32(line) else { return }
            try await node.killAll(agent)
            #expect(ProcessIdentity(of: id) != nil)
            let end = try await node.run(.recover([node.location]))
            #expect(end.verdict?.verdict == .rolledBack, "\(end)")
            #expect(ProcessIdentity(of: id) == nil)
            #expect(node.traced == ["new boot=0", "old boot=0"])
        }

        /// A nix-env that waits stands for one that is slow: it must not move the profile after the rollback.
        @Test func aNixEnvThatStillRunsIsEndedFirst() async throws {
            let old = try await node.tracing("old")
            try await node.generations([old])
            let fake = "\(node.path)/bin"
            try FileManager.default.createDirectory(atPath: fake, withIntermediateDirectories: true)
            let pipe = "\(fake)/go"
            #expect(mkfifo(pipe, 0o600) == 0)
            let real = try #require(locateProgram("nix-env", path: node.environment["PATH"]))
            let wait = "[ \"$3\" = --set ] && { echo > \(fake)/begun; read x < \(pipe); }"
            let wrapper = "#!/bin/sh\n\(wait)\nexec \(real) \"$@\"\n"
            try wrapper.write(toFile: "\(fake)/nix-env", atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(fake)/nix-env")
            var command = node.command(.activate(node.request(try await node.tracing("new"))))
            command.environment["PATH"] = "\(fake):\(node.environment["PATH"] ?? "")"
            let agent = try RunningAgent(command)
            for await _ in ChangeWatch(folders: [fake]).wakes where access("\(fake)/begun", F_OK) == 0 { break }
            try await node.killAll(agent)
            let end = try await node.run(.recover([node.location]))
            #expect(end.verdict?.verdict == .rolledBack)
            #expect(end.warnings.contains { $0.contains("still ran") })
            // Nobody is left who waits to go on.
            #expect(open(pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC) == -1)
            #expect(errno == ENXIO)
            #expect(node.numbers == [1])
            #expect(node.generation == 1)
        }

        @Test func withNoRollbackWantedAnInterruptedActivationIsLeft() async throws {
            try await node.generations([try await node.tracing("old")])
            var request = node.request(try await node.tracing("new", "echo waiting; sleep 100"))
            request.magicRollback = false
            request.autoRollback = false
            let agent = try node.start(.activate(request))
            try await agent.line("waiting")
            try await node.killAll(agent)
            #expect(try await node.run(.recover([node.location])).verdict?.verdict == .left)
            #expect(node.generation == 2)
        }

        @Test func aPreflightAndADryRunOnlyReport() async throws {
            let new = try await node.tracing("new")
            let agent = try node.start(.activate(node.request(new)))
            try await agent.awaiting()
            try await node.killAll(agent)
            let before = try listing(node.path)
            _ = try await node.status()
            var dry = node.request(try await node.closure("dry", "true"))
            dry.dryActivate = true
            let afterStore = try listing(node.state)
            let end = try await node.activate(dry)
            #expect(end.warnings.first?.contains("was interrupted") == true)
            #expect(try listing(node.state) == afterStore)
            #expect(
                before.filter { $0.contains("profiles") } == (try listing(node.path)).filter { $0.contains("profiles") }
            )
        }

        /// Dies after each step in turn, as its journal would say, and is recovered.
        @Test(arguments: ["staged", "setting", "set", "script", "rollingBack"])
        func everyStepOfTheJournalCanBeFinished(step: String) async throws {
            let old = try await node.tracing("old")
            let new = try await node.tracing("new")
            try await node.generations([old])
            let link = try ProfileLink(path: node.link)
            var record = try Record(node.request(new), link)
            record.state = step == "staged" ? .staged : step == "rollingBack" ? .rollingBack : .activating
            record.reason = step == "rollingBack" ? "because" : nil
            record.progress.settingProfile = step != "staged"
            if step != "staged", step != "setting" { try await node.generations([new]) }
            if step == "script" || step == "rollingBack" {
                record.progress.profileSet = try link.generation()
                record.progress.scriptStarted = true
            }
            try Journal(folder: StateFolder.make(beside: link)).write(record)
            let end = try await node.run(.recover([node.location]))
            #expect(end.verdict?.verdict == (step == "staged" ? .failed : .rolledBack))
            #expect(node.generation == 1)
            #expect(node.traced == (record.progress.scriptStarted ? ["old boot=0"] : []))
        }
    }
}
