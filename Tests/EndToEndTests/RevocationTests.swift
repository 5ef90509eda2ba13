import Shared
import Testing

/// What a run has deployed is taken back when something later in it fails.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(3)))
struct RevocationTests {
    private static let web = Node.appProfile("web")

    /// First `web` of `app`, then `system`.
    private func write(_ fixture: Fixture, _ version: String, systemThen: String = "true") throws {
        try fixture.write(
            [
                .init(name: "web", user: "app", activation: Script.mark(version, user: "app")),
                .init(activation: "\(Script.mark(version))\n\(systemThen)"),
            ], version: version)
    }

    @Test func aSiblingIsTakenBackToItsRecordedGeneration() async throws {
        try await Scene.with { scene in
            for version in ["one", "two"] {
                try write(scene.fixture, version)
                expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            }
            try await scene.node.shell("nix-env -p \(Self.web) --switch-generation 1", as: "app")
            try write(scene.fixture, "three", systemThen: "exit 1")
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(
                result, is: .rolledBack, says: "\"web\": deployed and confirmed on generation 3",
                "\"web\": taking it back", "taken back")
            #expect(try await scene.node.generation(Self.web) == 1)
            #expect(try await scene.node.generations(Self.web) == [1, 2, 3])
            #expect(try await scene.node.marks(of: "app") == ["one", "two", "three", "one"])
            let marks = ["one", "two", "three", "two"]
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2, 3], marks: marks))
        }
    }

    @Test func aSiblingOfAFirstDeployIsTakenAway() async throws {
        try await Scene.with { scene in
            try write(scene.fixture, "one", systemThen: "exit 1")
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .rolledBack, says: "taken back")
            #expect(try await scene.node.generation(Self.web) == nil)
            #expect(try await scene.node.generation() == nil)
        }
    }

    @Test(arguments: [["--rollback-succeeded", "false"], ["--auto-rollback", "false"]])
    func aSiblingIsLeftWhereTheUserWantsThat(words: [String]) async throws {
        try await Scene.with { scene in
            try write(scene.fixture, "one", systemThen: "exit 1")
            let result = try await scene.lab.deploy([scene.fixture.flake] + words)
            let isLeft = words[0] == "--auto-rollback"
            expect(result, is: isLeft ? .left : .rolledBack, says: "web1  web      deployed")
            #expect(!result.errorText.contains("taking it back"))
            #expect(try await scene.node.generation(Self.web) == 1)
            #expect(try await scene.node.generation() == (isLeft ? 1 : nil))
        }
    }

    @Test func whatComesAfterAFailureIsNotStarted() async throws {
        try await Scene.with { scene in
            try scene.fixture.write([
                .init(activation: "exit 1"),
                .init(name: "web", user: "app", activation: Script.mark("one", user: "app")),
            ])
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(result, is: .rolledBack, says: "web1  web      not started  as before")
            #expect(try await scene.node.marks(of: "app").isEmpty)
            #expect(try await scene.node.generation(Self.web) == nil)
        }
    }

    /// web1 has committed before web2 fails; both end where they began.
    @Test func aNodeIsTakenBackWhenItsNeighbourFails() async throws {
        try await Lab.with { lab in
            try await lab.tool("up", "web1", "web2")
            let nodes = ["web1", "web2"].map { Node(lab: lab, name: $0) }
            let fixture = try Fixture(in: lab)
            try fixture.write([.init(activation: Script.mark("one"))], version: "one", nodes: ["web1", "web2"])
            expect(try await lab.deploy([fixture.flake]), is: .done)
            let late = "[ $(hostname) = web1 ] || { \(Script.hold); exit 1; }"
            let activation = "\(Script.mark("two")); \(late)"
            try fixture.write([.init(activation: activation)], version: "two", nodes: ["web1", "web2"])
            let run = try lab.start([fixture.flake])
            try await run.says("web1: info: profile \"system\": deployed and confirmed on generation 2")
            try await nodes[1].waits(for: Script.isHeld)
            try await nodes[1].shell(Script.release)
            try await expect(
                run, endsAs: .rolledBack, says: "web2: error: profile \"system\": rolled back, now on generation 1",
                "web1: info: profile \"system\": taking it back", "web1  system   taken back   generation 1")
            for node in nodes {
                #expect(try await node.generation() == 1)
                #expect(try await node.marks() == ["one", "two", "one"])
            }
        }
    }
}
