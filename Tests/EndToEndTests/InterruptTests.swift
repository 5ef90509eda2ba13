import Foundation
import Glibc
import Shared
import Testing

/// Ctrl-C: before an activation everything stops; during one the node goes on, and is waited for unless told not to.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct InterruptTests {
    /// A builder that says that it runs and never ends, to be found by its argument.
    private static func endless(_ lab: Lab, _ number: Int) -> String {
        """
        activate.custom (derivation {
          inherit system; name = "endless"; builder = "/bin/sh";
          args = [ "-c" "echo >\(lab.folder)/building-\(number); exec /bin/sleep \(number)" ];
        }) "true"
        """
    }

    @Test func beforeAnActivationEverythingStopsAndNoChildIsLeft() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let number = 71_000_000 + Int(getpid())
            try scene.fixture.write([.init(path: Self.endless(scene.lab, number))], version: "two")
            let run = try scene.lab.start([scene.fixture.flake])
            try await scene.lab.waits(for: "\(scene.lab.folder)/building-\(number)")
            run.signal(SIGINT)
            try await expect(run, endsAs: .interrupted, says: "interrupted: stopping; nothing was activated")
            #expect(try await !LocalCommand(["pgrep", "-f", "sleep \(number)"]).run().exit.isSuccess)
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one"]))
        }
    }

    @Test func duringAnActivationItSaysWhatTheNodeWillDoAndWaitsForIt() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: Script.hold)
            try await scene.node.waits(for: Script.isHeld)
            run.signal(SIGINT)
            try await run.says("interrupt again to leave them alone")
            #expect(
                run.text.contains(
                    "web1: warn: profile \"system\" is under way: left alone, the node rolls it back: nobody confirms it"
                        + " within 30 s"), "\(run.text)")
            try await scene.node.shell(Script.release)
            try await expect(run, endsAs: .done, says: "deployed and confirmed on generation 2")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    @Test func whatHasNotBegunIsNotStartedAndWhatIsDoneStays() async throws {
        try await Scene.with { scene in
            try scene.fixture.write([
                .init(activation: "\(Script.mark("one")); \(Script.hold)"),
                .init(name: "web", user: "app", activation: Script.mark("one", user: "app")),
            ])
            let run = try scene.lab.start([scene.fixture.flake])
            try await scene.node.waits(for: Script.isHeld)
            run.signal(SIGINT)
            try await run.says("interrupt again")
            try await scene.node.shell(Script.release)
            try await expect(run, endsAs: .interrupted, says: "deployed and confirmed", "not started")
            #expect(try await scene.node.generation() == 1)
            #expect(try await scene.node.marks(of: "app").isEmpty)
        }
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func theSecondLeavesTheNodeToItself(number: Int32) async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "1"])
            try await scene.node.waits(for: Script.isHeld)
            run.signal(number)
            try await run.says("interrupt again")
            run.signal(number)
            let flake = shellQuoted(scene.fixture.flake)
            try await expect(
                run, endsAs: .interrupted, says: "left: the nodes end what they have begun by themselves",
                "deploy: hint: later: deploy status \(flake)")
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.has("rolledBack"))
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    @Test func whatNobodyConfirmsIsToldToGoOn() async throws {
        try await Scene.with { scene in
            try scene.write("one", then: Script.hold)
            let run = try scene.lab.start([scene.fixture.flake, "--magic-rollback", "false"])
            try await scene.node.waits(for: Script.isHeld)
            run.signal(SIGINT)
            try await run.says("left alone, the node carries it through to its end, and rolls it back if it fails")
            run.signal(SIGINT)
            try await expect(run, endsAs: .interrupted)
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.has("committed"))
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one"]))
        }
    }

    /// Control-C at a question: the terminal echoes again.
    @Test func theTerminalIsRestored() async throws {
        try await Lab.withNode(options: ["--trust", "admin"]) { lab, node in
            let fixture = try Fixture(in: lab).write(
                [.init(activation: Script.mark("one"))], node: "sshUser = \"admin\"; interactiveSudo = true;")
            let run = try await lab.deployOnTerminal([fixture.flake], answers: [("Password: ", "\u{3}")])
            #expect(run.exit == .code(ExitCode.interrupted.rawValue), "\(run.text)")
            #expect(run.echoes)
            #expect(try await node.marks().isEmpty)
        }
    }
}

extension Lab {
    /// Waits until a file is there on this machine.
    func waits(for file: String, seconds: Int = 240) async throws {
        let text = "for i in $(seq \(seconds * 20)); do [ ! -e \(file) ] || exit 0; sleep 0.05; done; exit 1"
        let result = try await LocalCommand(["sh", "-c", text]).run(timeLimit: .seconds(seconds + 10))
        try #require(result.exit.isSuccess, "there is no \(file)")
    }
}
