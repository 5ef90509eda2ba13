import Foundation
import Shared
import Testing

@testable import Deployer

private let new = ActivationScene.new
private let old = ActivationScene.old
private let committed = VerdictReport(.committed, generation: new)
private let rolledBack = VerdictReport(.rolledBack, generation: old, reason: "not confirmed")

private let activateLine = """
    sudo -u root /nix/store/agent/bin/activate activate /nix/store/new --profile-user root --profile-name system \
    --temp-path /tmp --confirm-timeout 30 --magic-rollback --auto-rollback --nonce 00ff --deployer alice@laptop \
    --activation-timeout 240
    """
private let confirmLine =
    "sudo -u root /nix/store/agent/bin/activate confirm --profile-user root --profile-name system --nonce 00ff"

@Suite(.timeLimit(.minutes(10)))
struct ProfileActivationTests {
    private func run(
        _ node: FakeNode, silence: Duration = Pulse.limit, firstWord: Duration = Preflight.answerLimit,
        probe: String? = nil, rebootIfStuck: Bool = false
    ) async throws -> ProfileOutcome {
        let scene = try ActivationScene(node)
        var profile = scene.profile
        profile.probe = probe
        profile.rebootIfStuck = rebootIfStuck
        let activation = ProfileActivation(
            profile: profile, connection: scene.connection, connector: scene.connector, console: scene.console,
            mode: scene.mode, nonce: ActivationScene.nonce, tail: OutputTail(), silence: silence, firstWord: firstWord)
        return await activation.run()
    }

    private func report(_ outcome: ProfileOutcome) -> VerdictReport? {
        if case .ended(let report, _) = outcome { report } else { nil }
    }

    @Test func theCommandLinesSentToANodeAreThese() async throws {
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), .awaitingConfirmation(seconds: 30), hangs: true))
            .on("confirm", .events(.verdict(committed)))
        #expect(report(try await run(node)) == committed)
        let sent = node.commands.map { $0.joined(separator: " ") }
        #expect(sent == [activateLine, confirmLine])
        #expect(node.connections == 1)
    }

    @Test func aConfirmationThatFindsNoConnectionTriesAgain() async throws {
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), .awaitingConfirmation(seconds: 30), hangs: true))
            .on("confirm", .events(.verdict(committed)))
        node.refuse(2)
        #expect(report(try await run(node)) == committed)
        #expect(node.connections == 3)
    }

    @Test func aRollbackThatTheNodeReportsIsReported() async throws {
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), .rollingBack(reason: "x"), .verdict(rolledBack)))
        #expect(report(try await run(node)) == rolledBack)
    }

    @Test func aLostConnectionIsFollowedByAskingForTheVerdict() async throws {
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), breaks: true))
            .on("confirm", .events(.verdict(rolledBack)))
        #expect(report(try await run(node)) == rolledBack)
    }

    /// One that was made before the activation ended would not show that the node can still be reached.
    @Test func onlyAConnectionThatIsNewerThanTheCanaryConfirms() async throws {
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), breaks: true))
            .on("confirm", .events(.awaitingConfirmation(seconds: 30)), .events(.verdict(committed)))
        #expect(report(try await run(node)) == committed)
        let sent = node.commands.map { $0.joined(separator: " ") }
        #expect(sent == [activateLine, confirmLine + " --observe", confirmLine])
        #expect(node.connections == 2)
    }

    @Test func whereNothingIsHeardTheNodeIsAskedOverAnotherConnectionAsWell() async throws {
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), hangs: true))
            .on("confirm", .events(.awaitingConfirmation(seconds: 30)), .events(.verdict(committed)))
        #expect(report(try await run(node, silence: .milliseconds(50))) == committed)
        let sent = node.commands.map { $0.joined(separator: " ") }
        #expect(sent == [activateLine, confirmLine + " --observe --await-start", confirmLine])
    }

    @Test func aConfirmationOverALinkThatFallsSilentIsMadeAgain() async throws {
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), .awaitingConfirmation(seconds: 30), hangs: true))
            .on("confirm", FakeNode.Answer(hangs: true), .events(.alive, .verdict(committed)))
        #expect(report(try await run(node, silence: .milliseconds(50))) == committed)
        #expect(node.connections == 2)
    }

    /// Asked while it may still begin, the node only looks; once that was given up, it forbids it.
    @Test func anAgentThatHangsAtItsStartIsGivenUp() async throws {
        let node = FakeNode()
            .on("activate", .events(.alive, hangs: true))
            .on("--await-start", FakeNode.Answer(hangs: true))
            .on("confirm", .failure("no such activation"))
            .on("status", .text(try unknownStatus))
        let outcome = try await run(node, silence: .milliseconds(50), firstWord: .milliseconds(200))
        guard case .notActivated(let error) = outcome else {
            Issue.record("expected that nothing was activated, not \(outcome)")
            return
        }
        #expect(describe(error).contains("no such activation"))
        let confirmations = node.commands.filter { $0.contains("confirm") }
        #expect(confirmations.last?.joined(separator: " ") == confirmLine + " --observe")
    }

    private var unknownStatus: String {
        get throws {
            let status = ProfileStatus(profile: "/nix/var/nix/profiles/system", generation: old, activation: nil)
            return try JSONLine.encode(status) + "\n"
        }
    }

    @Test func anActivationThatNeverReachedTheNodeChangedNothing() async throws {
        let node = FakeNode()
            .on("activate", FakeNode.Answer(breaks: true))
            .on("confirm", .failure("no such activation"))
            .on("status", .text(try unknownStatus))
        guard case .notActivated = try await run(node) else {
            Issue.record("expected that nothing was activated")
            return
        }
    }

    @Test func anInterruptedActivationIsRecovered() async throws {
        let activation = ProfileStatus.Activation(
            state: .activating, nonce: "00ff", closure: "/nix/store/new", deployer: "alice@laptop", startedAt: 0,
            previous: old, report: nil, isGuarded: false, secondsLeft: nil)
        let status = ProfileStatus(profile: "/nix/var/nix/profiles/system", generation: new, activation: activation)
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), breaks: true))
            .on("confirm", .failure("interrupted"))
            .on("status", .text(try JSONLine.encode(status) + "\n"))
            .on("recover", .events(.verdict(rolledBack)))
        #expect(report(try await run(node)) == rolledBack)
    }

    @Test func aNodeThatRebootsIsAskedOnceItIsBack() async throws {
        let rebooting = AgentEvent.rebooting(reason: "x", seconds: 600)
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), .rollingBack(reason: "x"), rebooting, breaks: true))
            .on("confirm", FakeNode.Answer(breaks: true), .events(.verdict(rolledBack)))
        node.refuse(3)
        #expect(report(try await run(node, rebootIfStuck: true)) == rolledBack)
        #expect(node.commands.first?.contains("--reboot-if-stuck") == true)
        #expect(node.commands.last?.joined(separator: " ") == confirmLine + " --observe")
    }

    @Test func onlyANodeThatMayRebootIsWaitedForSoLong() {
        var profile = ActivationScene.profile
        let mode = ActivationMode(deployer: "alice@laptop")
        #expect(profile.rebootLimit(mode) == .zero)
        profile.rebootIfStuck = true
        // A second rollback, and the reboot.
        #expect(profile.rebootLimit(mode) == .seconds(240 + 300 + 600))
        var boot = mode
        boot.boot = true
        #expect(profile.rebootLimit(boot) == .zero)
        #expect(profile.activation(nonce: "00", boot).session?.rebootIfStuck == false)
    }

    // MARK: The probe

    private func folder() throws -> String {
        let folder = NSTemporaryDirectory() + "/probe-\(try Nonce.random())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test func aProbeThatSucceedsInTimeIsFollowedByTheConfirmation() async throws {
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), .awaitingConfirmation(seconds: 60), hangs: true))
            .on("confirm", .events(.verdict(committed)))
        let folder = try folder()
        let probe = """
            echo "$DEPLOY_NODE $DEPLOY_HOSTNAME $DEPLOY_PROFILE" >>\(folder)/seen; test "$(wc -l <\(folder)/seen)" -ge 2
            """
        #expect(report(try await run(node, probe: probe)) == committed)
        #expect(node.commands.map { $0.joined(separator: " ") } == [activateLine, confirmLine])
        let seen = try String(contentsOfFile: "\(folder)/seen", encoding: .utf8)
        #expect(seen == String(repeating: "web1 web1 system\n", count: 2))
        try FileManager.default.removeItem(atPath: folder)
    }

    /// The second one has lost its first connection, and learns over another that there is something to confirm.
    @Test(arguments: [false, true])
    func aProbeThatFailsIsNeverConfirmedButTakenBack(losesContact: Bool) async throws {
        let awaiting = AgentEvent.awaitingConfirmation(seconds: 8)
        let node = FakeNode()
            .on(
                "activate",
                losesContact
                    ? .events(.started(previous: old), breaks: true)
                    : .events(.started(previous: old), awaiting, hangs: true)
            )
            .on("confirm", .events(awaiting))
            .on("revoke", FakeNode.Answer(breaks: true), .events(.alive, .verdict(rolledBack)))
        #expect(report(try await run(node, probe: "echo no; echo words >&2; exit 22")) == rolledBack)
        let sent = node.commands.map { $0.joined(separator: " ") }.dropFirst()
        #expect(Array(sent.prefix(losesContact ? 1 : 0)) == (losesContact ? [confirmLine + " --observe"] : []))
        // Where all this takes longer than the window, it only asks from then on.
        #expect(!sent.contains(confirmLine))
        let revocations = sent.filter { $0.contains(" revoke ") }
        #expect(Set(revocations).count == 1)
        let line = confirmLine.replacing(" confirm ", with: " revoke ")
        #expect(revocations.first?.hasPrefix("\(line) --reason=the probe failed, ") == true)
        // Its last try may have had too little time.
        #expect(revocations.first?.contains(": exit status 22; ") == true)
        #expect(revocations.first?.hasSuffix("; no / words") == true)
    }

    @Test func aProbeThatHangsIsEnded() async throws {
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), .awaitingConfirmation(seconds: 1), hangs: true))
            .on("revoke", .events(.verdict(rolledBack)))
        let folder = try folder()
        #expect(report(try await run(node, probe: "echo $$ >\(folder)/id; sleep 1000")) == rolledBack)
        let text = try String(contentsOfFile: "\(folder)/id", encoding: .utf8)
        let id = try #require(Int32(trimmed(text)))
        #expect(kill(id, 0) != 0)
        #expect(node.commands.last?.last?.hasSuffix("it did not end and was stopped") == true)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func aProbeThatComesToHangIsToldByItsAnswer() async throws {
        let node = FakeNode()
            .on("activate", .events(.started(previous: old), .awaitingConfirmation(seconds: 8), hangs: true))
            .on("revoke", .events(.verdict(rolledBack)))
        let folder = try folder()
        let probe = "[ -e \(folder)/once ] && exec sleep 1000; touch \(folder)/once; echo no; exit 22"
        #expect(report(try await run(node, probe: probe)) == rolledBack)
        let reason = node.commands.last?.last ?? ""
        #expect(reason.contains("the probe failed, 2 tries in "))
        #expect(reason.hasSuffix(": exit status 22; the last time it did not end and was stopped; no"))
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func anAgentThatCannotStartChangedNothing() async throws {
        let node = FakeNode().on("activate", .failure("sudo: unknown user"))
        guard case .notActivated(let error) = try await run(node) else {
            Issue.record("expected that nothing was activated")
            return
        }
        #expect(describe(error).contains("sudo: unknown user"))
    }

    @Test func aHeldProfileNamesItsHolder() async throws {
        let holder = LockHolder(deployer: "bob@desk", since: 5, closure: "/nix/store/other")
        let node = FakeNode().on("activate", .events(.locked(holder)))
        guard case .locked(let found) = try await run(node) else {
            Issue.record("expected a lock")
            return
        }
        #expect(found == holder)
    }
}
