import Shared
import Testing

/// Two deployers at one node, and what others see meanwhile.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct ConcurrencyTests {
    @Test func theSecondDeployerIsRefusedAndToldWhoHoldsTheProfile() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let first = try scene.start("two", then: Script.hold)
            try await scene.node.waits(for: Script.isHeld)
            let holder = try await scene.node.profile()
            // A flake of its own: the first one's is still in use.
            let other = Scene(lab: scene.lab, node: scene.node, fixture: try Fixture(in: scene.lab))
            let second = try await other.deploy("three")
            let user = try await scene.lab.run(["sh", "-c", "printf %s@%s $(id -un) $(hostname)"]).text
            expect(second, is: .locked, says: "by \(user)'s deploy of \(holder)", "nothing was activated")
            expect(second.errorText, hasRow: "web1 system as before locked")
            try await scene.node.shell(Script.release)
            try await expect(first, endsAs: .done, says: "deployed and confirmed on generation 2")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    @Test func theSecondDeployerWaitsIfAsked() async throws {
        try await Scene.with { scene in
            let first = try scene.start("one", then: Script.hold)
            try await scene.node.waits(for: Script.isHeld)
            let other = Scene(lab: scene.lab, node: scene.node, fixture: try Fixture(in: scene.lab))
            let second = try other.start("two", ["--wait-lock", "100"])
            try await second.says("waiting for its end, 100 s at most")
            let third = try await Scene(lab: scene.lab, node: scene.node, fixture: try Fixture(in: scene.lab))
                .deploy("three", ["--wait-lock", "1"])
            expect(third, is: .locked, says: "waiting for its end, 1 s at most", "nothing was changed")
            try await scene.node.shell(Script.release)
            try await expect(first, endsAs: .done, says: "deployed and confirmed on generation 1")
            try await expect(second, endsAs: .done, says: "deployed and confirmed on generation 2")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    @Test func anotherProfileIsNotHeld() async throws {
        try await Scene.with { scene in
            let first = try scene.start("one", then: Script.hold)
            try await scene.node.waits(for: Script.isHeld)
            let other = try Fixture(in: scene.lab).write([
                .init(name: "web", user: "app", activation: Script.mark("web", user: "app"))
            ])
            expect(try await scene.lab.deploy([other.flake]), is: .done)
            #expect(try await scene.node.marks(of: "app") == ["web"])
            try await scene.node.shell(Script.release)
            try await expect(first, endsAs: .done)
        }
    }

    @Test func statusTellsHowItStandsBeforeDuringAndAfter() async throws {
        try await Scene.with { scene in
            try scene.write("one", then: Script.hold)
            expect(try await scene.status(), is: .done, says: "no generation; never deployed by this tool")
            let run = try scene.start("one", then: Script.hold)
            try await scene.node.waits(for: Script.isHeld)
            let during = try await scene.status()
            expect(during, is: .done, says: "generation 1, /nix/store/", "-activatable-system-one; activating, by ")
            #expect(!during.text.contains("interrupted"))
            try await scene.lab.tool("cut", "web1")
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.isAwaiting)
            try await scene.lab.tool("heal", "web1")
            try await expect(run, endsAs: .done)
            let before = try await scene.state()
            expect(try await scene.status(), is: .done, says: "generation 1, ", "; committed, by ")
            #expect(try await scene.state() == before)
            expect(try await scene.deploy("two", then: "exit 9"), is: .rolledBack)
            expect(try await scene.status(), is: .done, says: "generation 1, ", "; rolledBack, by ", "exit status 9")
        }
    }

    @Test func anInterruptedDeployerLetsTheNodeDecide() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "2"])
            try await scene.node.waits(for: Script.isHeld)
            try await run.kill()
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.has("rolledBack"))
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }
}
