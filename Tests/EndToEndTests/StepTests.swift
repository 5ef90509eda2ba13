import Glibc
import Shared
import Testing

/// The same thing happens at every step of an activation, one after the other on one node.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct StepTests {
    /// Runs work at every step with a node on generation 1, `old`, and expects it there again, activated if need be.
    ///
    /// - Parameter goesOn: the activation is not ended at the step, but goes on from there
    private func atEachStep(
        _ steps: [Step] = Step.allCases, goesOn: Bool = false, _ work: (Scene, Step) async throws -> Void
    ) async throws {
        try await Scene.with { scene in
            try await Gate(node: scene.node).install()
            try await scene.deployed("old")
            for step in steps {
                try await scene.node.shell("rm -f /root/marks")
                try await work(scene, step)
                #expect(try await scene.node.generation() == 1, "\(step)")
                let marks = goesOn || step.isActivated ? [step.rawValue, "old"] : []
                #expect(try await scene.node.marks() == marks, "\(step)")
            }
            let numbers = Array(1...steps.count + 1)
            // Of one that was ended before it moved anything there is no generation.
            let expected = steps.contains(.setting) && !goesOn ? Array(numbers.dropLast()) : numbers
            #expect(try await scene.node.generations() == expected)
        }
    }

    @Test("R21: a guardian killed at any step is replaced, and the rollback told")
    func aGuardianKilledAtAnyStep() async throws {
        try await atEachStep { scene, step in
            let run = try await scene.start(step.rawValue, heldAt: step, ["--confirm-timeout", "120"])
            try await scene.node.shell("pkill -9 -f '[b]in/activate guardian carry'")
            if step == .awaiting { try await scene.lab.tool("heal", "web1") }
            // Over the link that was cut the word of it may come after the verdict, which a new connection has asked for.
            let told = step == .awaiting ? "interrupted before it was confirmed" : "another one finishes its work"
            try await expect(run, endsAs: .rolledBack, says: told, "rolled back, now on generation 1")
        }
    }

    @Test("R21: after a power loss at any step, recovery at boot puts the node back")
    func aPowerLossAtAnyStep() async throws {
        try await atEachStep { scene, step in
            let run = try await scene.start(step.rawValue, heldAt: step, ["--confirm-timeout", "120"])
            try await scene.lab.tool("kill", "web1")
            run.signal(SIGKILL)
            _ = try await run.exit()
            try await scene.lab.tool("boot", "web1")
            let agent = "/nix/store/*-deploy-swift-agent/bin/activate"
            let told = try await scene.node.shell("\(agent) recover --profile-user root --profile-name system")
            #expect(told.contains("\"verdict\":\"rolledBack\""), "\(step): \(told)")
            expect(try await scene.status(), is: .done, says: "rolledBack")
        }
    }

    /// To hold the closures of a profile that Nix does not look for takes a program of Nix's, which can be held up.
    @Test("R21: a guardian killed, or a power loss, before it has begun, changes nothing", arguments: [false, true])
    func anEndWhileItIsStaged(losesPower: Bool) async throws {
        try await Scene.with { scene in
            let state = "/root/profiles/.deploy-swift/tool"
            let gate = Gate(node: scene.node, program: "nix-store")
            try await gate.install()
            try await gate.close("before", "\(state)/root")
            // The user's own folder of roots would do without that program: it has room for nothing.
            let own = "/nix/var/nix/gcroots/per-user/root"
            try await scene.node.shell("mkdir -p \(own) && mount -t tmpfs -o mode=755,nr_inodes=1 none \(own)")
            let extra = #"profilePath = "/root/profiles/tool";"#
            try scene.fixture.write([.init(name: "tool", activation: Script.mark("one"), extra: extra)])
            let run = try scene.lab.start([scene.fixture.flake])
            try await scene.node.waits(for: Script.isHeld)
            try await scene.node.shell("rm /root/gate-*; grep '\"state\":\"staged\"' \(state)/journal.json")
            if losesPower {
                try await scene.lab.tool("kill", "web1")
                try await run.kill()
                try await scene.lab.tool("boot", "web1")
                let agent = "/nix/store/*-deploy-swift-agent/bin/activate"
                let told = try await scene.node.shell("\(agent) recover --profile-path /root/profiles/tool")
                #expect(told.contains("\"verdict\":\"failed\""), "\(told)")
            } else {
                try await scene.node.shell("pkill -9 -f '[b]in/activate guardian carry'")
                try await expect(run, endsAs: .failed, says: "another one finishes its work", "nothing changed")
            }
            #expect(try await scene.node.generations("/root/profiles/tool") == [])
            #expect(try await scene.node.marks() == [])
        }
    }

    @Test("R4, R5, A8: a link cut at any step and back before the deadline changes no verdict")
    func aLinkCutForAShortTimeAtAnyStep() async throws {
        try await Scene.with { scene in
            try await Gate(node: scene.node).install()
            try await scene.deployed("old")
            for (index, step) in Step.allCases.enumerated() {
                let run = try await scene.start(step.rawValue, heldAt: step, ["--confirm-timeout", "120"])
                try await scene.lab.tool("cut", "web1")
                try await scene.node.shell(Script.release)
                let end = step == .rollingBack ? "rolledBack" : "awaitingConfirmation"
                try await scene.node.waits(for: Script.has(end))
                try await scene.lab.tool("heal", "web1")
                let isBack = step == .rollingBack
                try await expect(
                    run, endsAs: isBack ? .rolledBack : .done,
                    says: isBack ? "rolled back, now on generation \(index + 1)" : "on generation \(index + 2)")
                #expect(try await scene.node.generation() == (isBack ? index + 1 : index + 2), "\(step)")
            }
        }
    }

    @Test("R4, R5: a link cut at any step for longer than the deadline is told as rolled back once it is back")
    func aLinkCutForALongTimeAtAnyStep() async throws {
        // A rollback under way needs no link; the short cut above holds it up already.
        try await atEachStep([.setting, .moved, .script, .awaiting], goesOn: true) { scene, step in
            let run = try await scene.start(step.rawValue, heldAt: step, ["--confirm-timeout", "2"])
            try await scene.lab.tool("cut", "web1")
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.has("rolledBack"))
            try await scene.lab.tool("heal", "web1")
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 1")
        }
    }
}
