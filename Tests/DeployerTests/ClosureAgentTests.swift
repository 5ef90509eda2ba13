import Shared
import Testing

@testable import Deployer

private let old = Generation(number: 3, path: "/nix/store/old")
private let new = Generation(number: 4, path: "/nix/store/abc-new")
private let wrong = Generation(number: 2, path: "/nix/store/older")

/// deploy-rs's own agent: what it is told, and what is made of how it ends.
struct ClosureAgentTests {
    private func profile(_ change: (inout PlannedProfile) -> Void = { _ in }) -> PlannedProfile {
        var profile = PlannedProfile.rootSystem
        change(&profile)
        return profile
    }

    private func agent(_ profile: PlannedProfile, _ mode: ActivationMode, _ node: FakeNode = FakeNode()) -> ClosureAgent
    {
        let connection = ReadyConnection(
            destination: profile.destination,
            login: NodeLogin(FakeRemote(node: node), to: profile.destination, connector: FakeConnector(node: node)),
            store: .sample, agent: nil, elevations: [profile.elevation: .words(profile.elevation)])
        return ClosureAgent(profile: profile, connection: connection, mode: mode)
    }

    /// Word for word as `build_activate_command` and its kind in deploy-rs's src/deploy.rs.
    @Test func itsCommandLinesAreDeployRss() {
        let plain = agent(profile(), ActivationMode(deployer: "me"))
        let sudo = "sudo -u root /nix/store/abc-new/activate-rs"
        #expect(
            plain.activate.words.joined(separator: " ")
                == "\(sudo) activate /nix/store/abc-new --profile-user root --profile-name system --temp-path /tmp "
                + "--confirm-timeout 30 --magic-rollback --auto-rollback")
        #expect(plain.wait.words.joined(separator: " ") == "\(sudo) wait /nix/store/abc-new --temp-path /tmp")
        #expect(plain.revoke.words.joined(separator: " ") == "\(sudo) revoke --profile-user root --profile-name system")
        #expect(plain.confirm.words.joined(separator: " ") == "sudo -u root rm /tmp/deploy-rs-canary-abc")
        var mode = ActivationMode(deployer: "me")
        mode.boot = true
        mode.agentOptions = AgentOptions(debugLogs: true, logDirectory: "/log")
        let other = agent(
            profile {
                $0.location = .path("/p")
                $0.tempPath = "/t"
                $0.activationTimeout = 600
                $0.autoRollback = false
            }, mode)
        let logged = "\(sudo) --debug-logs --log-dir /log"
        #expect(
            other.activate.words.joined(separator: " ")
                == "\(logged) activate /nix/store/abc-new --profile-path /p --temp-path /t --confirm-timeout 30 "
                + "--magic-rollback --boot")
        #expect(
            other.wait.words.joined(separator: " ")
                == "\(logged) wait /nix/store/abc-new --temp-path /t --activation-timeout 600")
        #expect(other.revoke.words.joined(separator: " ") == "\(logged) revoke --profile-path /p")
        #expect(!other.awaitsConfirmation && plain.awaitsConfirmation)
    }

    private static let refusal = "\(ClosureFacts.failedRollback): x"

    /// How it ended, where the link is then, whether it was replaced, with `autoRollback`, whether it was activated.
    @Test(
        arguments: [
            (.code(0), new, true, true, true, .committed), (.code(0), wrong, true, true, true, .stuck),
            (.code(1), old, true, true, false, .rolledBack), (.code(1), old, true, false, true, .rolledBack),
            (.code(1), old, false, true, false, .failed), (.code(1), new, true, false, false, .left),
            (.code(1), new, true, true, false, .stuck), (.code(1), new, true, false, true, .stuck),
            (.code(1), wrong, true, true, true, .stuck), (.signal("KILL"), new, true, true, false, .stuck),
        ] as [(RemoteExit, Generation, Bool, Bool, Bool, Verdict)])
    func itsVerdictIsReadOffTheLink(
        exit: RemoteExit, after: Generation, touched: Bool, auto: Bool, activated: Bool, expected: Verdict
    ) {
        let facts = ClosureFacts(
            closure: new.path, before: ProfileLook(generation: old, stamp: "1"),
            after: ProfileLook(generation: after, stamp: touched ? "2" : "1"), exit: exit, autoRollback: auto,
            wasActivated: activated)
        guard case .ended(let report, _) = facts.outcome else {
            Issue.record("expected a verdict")
            return
        }
        #expect(report.verdict == expected)
        #expect(report.generation == after)
    }

    @Test func aRollbackThatFailedInTheEndIsStuckThoughTheLinkIsBack() {
        let facts = ClosureFacts(
            closure: new.path, before: ProfileLook(generation: old, stamp: "1"),
            after: ProfileLook(generation: old, stamp: "2"), exit: .code(1), lines: [Self.refusal, ""],
            autoRollback: true)
        guard case .ended(let report, _) = facts.outcome else {
            Issue.record("expected a verdict")
            return
        }
        #expect(report.verdict == .stuck)
        #expect(report.reason?.hasSuffix(Self.refusal) == true)
    }

    @Test(arguments: [Int32(2), 126, 127])
    func anAgentThatDoesNotStartChangedNothing(code: Int32) {
        let look = ProfileLook(generation: old, stamp: "1")
        let facts = ClosureFacts(closure: new.path, before: look, after: look, exit: .code(code), autoRollback: true)
        guard case .notActivated = facts.outcome else {
            Issue.record("expected that nothing was activated")
            return
        }
    }

    @Test func whatCannotBeKnownIsUnknown() {
        let before = ProfileLook(generation: old, stamp: "1")
        let moved = ProfileLook(generation: new, stamp: "2")
        var facts = ClosureFacts(closure: new.path, before: before, after: nil, exit: .code(0), autoRollback: true)
        #expect(facts.outcome.exitCode == .unknown)
        facts.exit = nil
        for after in [before, moved] {
            facts.after = after
            #expect(facts.outcome.exitCode == .unknown)
        }
        // The confirmation was accepted, and past the deadline the link is still there.
        facts.isConfirmed = true
        #expect(facts.outcome.exitCode == .done)
    }

    @Test(arguments: [true, false])
    func theLinkIsFoundByAPlainShell(isRelative: Bool) async throws {
        try await withScratchFolder { folder in
            let link = "\(folder)/p"
            var query = ProfileLookQuery(location: .path(link), marker: "m", removing: "\(folder)/canary")
            func look() async throws -> ProfileLook? { query.parse(try await LocalCommand(query.words).run().text) }
            #expect(try await look() == ProfileLook(generation: nil, stamp: "", link: link))
            let target = isRelative ? "p-7-link" : "\(folder)/p-7-link"
            let words = "ln -s /nix/store/x \(folder)/p-7-link; ln -s \(target) \(link); touch \(folder)/canary"
            _ = try await LocalCommand(["sh", "-c", words]).run()
            let first = try #require(try await look())
            #expect(first.generation == Generation(number: 7, path: "/nix/store/x"))
            #expect(!exists("\(folder)/canary"))
            query.removing = nil
            #expect(try await look() == first)
            let again = "ln -s \(target) \(folder)/new && mv -T \(folder)/new \(link)"
            _ = try await LocalCommand(["sh", "-c", again]).run()
            let second = try #require(try await look())
            #expect(second.generation == first.generation && second.stamp != first.stamp)
        }
    }

    @Test(
        arguments: [
            (.named(user: "root", name: "system"), "/s/profiles/system"),
            (.named(user: "root", name: "x"), "/s/profiles/per-user/root/x"),
            (.named(user: "app", name: "x y"), "/x/nix/profiles/x y"), (.path("/a b"), "/a b"),
        ] as [(ProfileLocation, String)])
    func theLinkIsWhereDeployRsHasIt(location: ProfileLocation, expected: String) async throws {
        let query = ProfileLookQuery(location: location, marker: "m")
        var command = LocalCommand(["sh", "-c", query.words[2] + "\necho \"$link\""])
        command.environment["NIX_STATE_DIR"] = "/s"
        command.environment["XDG_STATE_HOME"] = "/x"
        #expect(lastLines(1, of: try await command.run().text) == [expected])
    }
}
