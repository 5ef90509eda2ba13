import Foundation
import Shared
import Testing

/// What a run has deployed is taken back when something later in it fails.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
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
                "\"web\": taking it back", "taken back, verified")
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
            expect(result, is: isLeft ? .left : .rolledBack)
            expect(result.errorText, hasRow: "web1 web none -> 1 deployed")
            #expect(!result.errorText.contains("taking it back"))
            #expect(try await scene.node.generation(Self.web) == 1)
            #expect(try await scene.node.generation() == (isLeft ? 1 : nil))
        }
    }

    @Test func aSiblingWhoseOwnAutoRollbackIsOffIsLeft() async throws {
        try await Scene.with { scene in
            let names = ["kept", "other"]
            try scene.fixture.write(
                names.map { name in
                    .init(
                        name: name, user: "app", activation: Script.mark(name, user: "app"),
                        extra: name == "kept" ? "autoRollback = false;" : "")
                } + [.init(activation: "exit 1")])
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(result, is: .rolledBack)
            expect(result.errorText, hasRow: "web1 kept none -> 1 deployed")
            expect(result.errorText, hasRow: "web1 other none taken back,")
            #expect(try await scene.node.generation(Node.appProfile("kept")) == 1)
            #expect(try await scene.node.generation(Node.appProfile("other")) == nil)
        }
    }

    @Test func whatComesAfterAFailureIsNotStarted() async throws {
        try await Scene.with { scene in
            try scene.fixture.write([
                .init(activation: "exit 1"),
                .init(name: "web", user: "app", activation: Script.mark("one", user: "app")),
            ])
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(result, is: .rolledBack)
            expect(result.errorText, hasRow: "web1 web as before not started")
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
                "web1: info: profile \"system\": taking it back")
            expect(run.text, hasRow: "web1 system 1 taken back, verified")
            expect(run.text, hasRow: "web2 system 1 rolled back, verified")
            for node in nodes {
                #expect(try await node.generation() == 1)
                #expect(try await node.marks() == ["one", "two", "one"])
            }
        }
    }

    /// Each of the two that are taken back waits until the other has begun to be.
    @Test func nodesAreTakenBackSideBySide() async throws {
        try await Lab.with { lab in
            let names = ["web1", "web2", "web3"]
            try await lab.tool(["up"] + names)
            let nodes = names.map { Node(lab: lab, name: $0) }
            let fixture = try Fixture(in: lab)
            func write(_ version: String, _ then: String) throws {
                try fixture.write(
                    [.init(activation: "\(Script.mark(version)); \(then)")], version: version, nodes: names)
            }
            try write("one", "[ ! -e /root/slow ] || { \(Script.hold); }")
            expect(try await lab.deploy([fixture.flake]), is: .done)
            try write("two", "[ $(hostname) != web3 ] || { \(Script.hold); exit 1; }")
            let run = try lab.start([fixture.flake])
            for name in names.prefix(2) {
                try await run.says("\(name): info: profile \"system\": deployed and confirmed on generation 2")
            }
            for node in nodes.prefix(2) { try await node.shell("touch /root/slow") }
            try await nodes[2].waits(for: Script.isHeld)
            try await nodes[2].shell(Script.release)
            for node in nodes.prefix(2) { try await node.waits(for: Script.isHeld) }
            for node in nodes.prefix(2) { try await node.shell(Script.release) }
            try await expect(run, endsAs: .rolledBack)
            for node in nodes { #expect(try await node.marks() == ["one", "two", "one"]) }
        }
    }

    /// Its agent cannot start the guardian that would do it, until someone has helped.
    @Test("R28: what could be begun but not ended is asked for again, and not told as left")
    func whatCannotBeEndedYetIsAskedForAgain() async throws {
        try await Scene.with { scene in
            let log = "\((Self.web as NSString).deletingLastPathComponent)/.deploy-swift/web/guardian.log"
            try write(scene.fixture, "one")
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            try write(scene.fixture, "two", systemThen: "rm \(log); mkdir \(log); exit 1")
            let run = try scene.lab.start([scene.fixture.flake])
            try await run.says("asking the node again")
            #expect(try await scene.node.generation(Self.web) == 2)
            try await scene.node.shell("rmdir \(log)")
            try await expect(run, endsAs: .rolledBack, says: "\"web\": is not taken back yet")
            expect(run.text, hasRow: "web1 web 1 taken back, verified")
            #expect(try await scene.node.marks(of: "app") == ["one", "two", "one"])
        }
    }

    /// What was deployed again unchanged was changed by nobody: it is not even activated again.
    @Test("R18: a sibling that this run did not change is left as it is")
    func anUnchangedSiblingIsLeftAsItIs() async throws {
        try await Scene.with { scene in
            try write(scene.fixture, "one")
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            try scene.fixture.write(
                [
                    .init(name: "web", user: "app", activation: Script.mark("one", user: "app")),
                    .init(activation: "exit 1"),
                ], version: "one")
            let result = try await scene.lab.deploy(["--force", scene.fixture.flake])
            expect(result, is: .rolledBack, says: "nothing to take back")
            #expect(try await scene.node.generation(Self.web) == 1)
            #expect(try await scene.node.marks(of: "app") == ["one", "one"])
        }
    }

    /// Three profiles are taken back, the newest first, although the second of them cannot be.
    @Test("R27: all are tried, newest first, and the table says what is where")
    func allAreTriedNewestFirst() async throws {
        try await Scene.with { scene in
            func profiles(_ version: String, _ last: String) -> [Fixture.Profile] {
                let names = ["first", "second", "third"]
                return names.map { name in
                    let fails = name == "second" ? "[ ! -e /home/app/broken ]" : "true"
                    return .init(name: name, user: "app", activation: "\(Script.mark(name, user: "app")); \(fails)")
                } + [.init(activation: last)]
            }
            try scene.fixture.write(profiles("one", "true"), version: "one")
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            try await scene.node.shell("rm /home/app/marks")
            try scene.fixture.write(profiles("two", "touch /home/app/broken; exit 1"), version: "two")
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(result, is: .stuck, says: "the rollback failed")
            expect(result.errorText, hasRow: "web1 first 1 taken back, verified")
            expect(result.errorText, hasRow: "web1 second 1 stuck")
            expect(result.errorText, hasRow: "web1 third 1 taken back, verified")
            expect(result.errorText, hasRow: "web1 system 1 rolled back, verified")
            let order = ["first", "second", "third", "third", "second", "first"]
            #expect(try await scene.node.marks(of: "app") == order)
        }
    }

    @Test func aLinkThatIsCutWhileItIsTakenBackIsFollowedUp() async throws {
        try await Scene.with { scene in
            let wait = "touch /home/app/held; until [ -e /home/app/go ]; do sleep 0.05; done"
            let hold = "[ ! -e /home/app/slow ] || { \(wait); }"
            func write(_ version: String, _ last: String) throws {
                let web = "\(Script.mark(version, user: "app")); \(version == "one" ? hold : "true")"
                try scene.fixture.write(
                    [.init(name: "web", user: "app", activation: web), .init(activation: last)], version: version)
            }
            try write("one", "true")
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            try write("two", "touch /home/app/slow; exit 1")
            let run = try scene.lab.start([scene.fixture.flake])
            try await scene.node.waits(for: "[ -e /home/app/held ]")
            try await scene.node.shell("pkill -9 -f '^sshd(-session)?: [a-z]+'")
            try await run.says("asking the node again")
            try await scene.node.shell("touch /home/app/go")
            try await expect(run, endsAs: .rolledBack)
            expect(run.text, hasRow: "web1 web 1 taken back, verified")
            #expect(try await scene.node.marks(of: "app") == ["one", "two", "one"])
        }
    }

    /// `--boot` prepares the next start of the machine; undoing it prepares the one before, and switches nothing.
    @Test("R19: what a failed --boot takes back is never switched live")
    func aFailedBootIsNeverSwitchedLive() async throws {
        try await Scene.with { scene in
            func write(_ version: String, _ last: String) throws {
                func path(_ text: String) -> String {
                    let text = nixString(text)
                    return "(activate.custom // { boot = \(text); }) (base \"\(version)\") \(text)"
                }
                let web = path("echo \(version) boot=$BOOT >>/home/app/marks")
                let system = path("echo \(version) boot=$BOOT >>/root/marks; \(last)")
                try scene.fixture.write([.init(name: "web", user: "app", path: web), .init(path: system)])
            }
            try write("one", "true")
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            try write("two", "exit 1")
            let result = try await scene.lab.deploy(["--boot", scene.fixture.flake])
            expect(result, is: .rolledBack)
            #expect(try await scene.node.marks() == ["one boot=0", "two boot=1", "one boot=1"])
            #expect(try await scene.node.marks(of: "app") == ["one boot=0", "two boot=1", "one boot=1"])
            #expect(try await scene.node.generation() == 1)
            #expect(try await scene.node.generation(Self.web) == 1)
        }
    }

    /// Other output has come since: what failed is told again at the end.
    @Test func theLastLinesOfWhatFailedComeAgainAfterTheTable() async throws {
        try await Scene.with { scene in
            try write(scene.fixture, "one", systemThen: "for i in $(seq 30); do echo line $i; done >&2; exit 1")
            let text = try await scene.lab.deploy([scene.fixture.flake]).errorText
            let table = try #require(text.range(of: "NODE  PROFILE"))
            let end = text[table.lowerBound...]
            #expect(end.contains("web1: info: profile \"system\": the last lines of its activation again:"), "\(text)")
            #expect(end.contains("web1: system: line 11\n") && end.hasSuffix("web1: system: line 30"))
            #expect(!end.contains("web1: system: line 10\n"))
            #expect(!end.contains("web1: web:"))
        }
    }
}
