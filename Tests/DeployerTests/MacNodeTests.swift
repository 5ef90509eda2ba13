import Shared
import Testing

@testable import Deployer

/// A macOS node, by what such a machine answers: no agent of ours runs there, the closure's own is driven.
@Suite(.timeLimit(.minutes(10)))
struct MacNodeTests {
    private static let facts = FakeNode.Answer.recorded(
        "system Darwin arm64", "daemon /nix/var/nix/profiles/default/bin/nix-daemon",
        "trust names admin @staff @admin", "trust trusted-users root @admin", "elevation 0 0 ", "end")

    private static func link(_ number: Int, _ path: String) -> FakeNode.Answer {
        .recorded("name system-\(number)-link", "link system", "path \(path)", "stamp \(number) 1763700000.5", "end")
    }

    private func run(_ node: FakeNode, boot: Bool = false) async throws -> (ProfileOutcome, [String]) {
        let profile = PlannedProfile.rootSystem
        let connector = FakeConnector(node: node)
        let console = try Console(showsDebug: false, usesColor: false, logDirectory: nil)
        let preflight = Preflight(
            connector: connector, agents: AgentBinary(paths: ["x86_64-linux": "/nix/store/agent"]), console: console,
            copier: Copier(console: console, checksSignatures: false), copies: Slots(1), askPassword: { _ in nil })
        let plan = PlannedNode(name: profile.node, hostname: "mac", profiles: [profile])
        let ready = try await preflight.prepare(plan)
        let connection = try ready.connection(of: profile)
        #expect(connection.agent == nil && connection.system == "aarch64-darwin")
        #expect(connection.trust.isTrusted == true)
        var mode = ActivationMode(deployer: "me")
        mode.boot = boot
        let agent = ClosureAgent(profile: profile, connection: connection, mode: mode)
        let activation = ClosureActivation(agent: agent, connector: connector, console: console, tail: OutputTail())
        let outcome = await activation.run()
        let commands = node.commands.map { $0.joined(separator: " ") }.filter { !$0.contains("sh -c") }
        return (outcome, commands)
    }

    private static let activate =
        "sudo -u root /nix/store/abc-new/activate-rs activate /nix/store/abc-new --profile-user root --profile-name "
        + "system --temp-path /tmp --confirm-timeout 30 --magic-rollback --auto-rollback"

    @Test func aSystemIsActivatedAndConfirmed() async throws {
        let node = FakeNode()
            .on("sh", Self.facts, Self.link(3, "/nix/store/old"), Self.link(4, "/nix/store/abc-new"))
            .on("wait", .text(""))
            .on("rm", .text(""))
            .on("activate", .text("setting up /Applications/Nix Apps...\n"))
        let (outcome, commands) = try await run(node)
        guard case .ended(let report, _) = outcome else {
            Issue.record("expected a verdict")
            return
        }
        #expect(report == VerdictReport(.committed, generation: Generation(number: 4, path: "/nix/store/abc-new")))
        #expect(commands.contains(Self.activate))
    }

    @Test func theNextBootIsPreparedWithoutAConfirmation() async throws {
        let node = FakeNode()
            .on("sh", Self.facts, Self.link(3, "/nix/store/old"), Self.link(4, "/nix/store/abc-new"))
            .on("activate", .text(""))
        let (outcome, commands) = try await run(node, boot: true)
        #expect(outcome.isSuccess)
        #expect(commands == [Self.activate + " --boot"])
        #expect(node.connections == 1)
    }

    @Test func aFailedActivationIsReadOffTheLink() async throws {
        let back = FakeNode.Answer.recorded(
            "name system-3-link", "link system", "path /nix/store/old", "stamp 9 1763700009.5", "end")
        let node = FakeNode()
            .on("sh", Self.facts, Self.link(3, "/nix/store/old"), back)
            .on("wait", FakeNode.Answer(hangs: true))
            .on("activate", .failure("error: The activation script resulted in a bad exit code: Some(1)"))
        let (outcome, _) = try await run(node)
        guard case .ended(let report, _) = outcome else {
            Issue.record("expected a verdict")
            return
        }
        #expect(report.verdict == .rolledBack)
        #expect(report.generation == Generation(number: 3, path: "/nix/store/old"))
    }
}
