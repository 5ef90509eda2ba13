import Shared
import Testing

/// A node that can no longer be reached puts itself back, and `deploy` tells so.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct LockoutTests {
    @Test func aNodeThatStopsItsSSHServerPutsItselfBack() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one", then: "lab-service sshd restart")
            let result = try await scene.deploy(
                "two", then: "lab-service sshd stop", ["--confirm-timeout", "3"])
            expect(
                result, is: .rolledBack, says: "the node rolls back in 3 s", "rolled back, now on generation 1",
                "it was not confirmed within 3 s")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
            // Reachable again, by its own doing.
            expect(try await scene.status(), is: .done, says: "rolledBack")
        }
    }

    @Test func aNodeThatTakesItsNetworkDownPutsItselfBack() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one", then: "ip link set eth0 up")
            let result = try await scene.deploy(
                "two", then: "ip link set eth0 down", ["--confirm-timeout", "3"])
            expect(result, is: .rolledBack, says: "rolled back, now on generation 1")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
            expect(try await scene.status(), is: .done, says: "rolledBack")
        }
    }

    @Test func aFirstDeployThatLocksOutIsTakenAway() async throws {
        try await Scene.with { scene in
            // What undoes a first deploy has to be the closure's own `deactivate`: there is nothing else to run.
            let base = """
                (derivation {
                  inherit system; name = "first"; builder = "/bin/sh";
                  args = [ "-c" "/bin/mkdir $out && printf '#!/bin/sh\\nlab-service sshd start\\n' >$out/deactivate \
                && /bin/chmod +x $out/deactivate" ];
                })
                """
            try scene.fixture.write([.init(path: "activate.custom \(base) \"lab-service sshd stop\"")])
            let result = try await scene.lab.deploy([scene.fixture.flake, "--confirm-timeout", "3"])
            expect(result, is: .rolledBack, says: "there was no earlier generation")
            #expect(try await scene.state() == .init(current: nil, generations: [1], marks: []))
            expect(try await scene.status(), is: .done, says: "no generation")
        }
    }

    @Test func withoutMagicRollbackALockoutIsCommittedAndTold() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let result = try await scene.deploy(
                "two", then: "lab-service sshd stop", ["--magic-rollback", "false"])
            expect(result, is: .done, says: "generation 2")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    /// Magic rollback does not depend on `autoRollback`.
    @Test func aLockoutIsRolledBackWithAutoRollbackOffToo() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one", then: "lab-service sshd restart")
            let result = try await scene.deploy(
                "two", then: "lab-service sshd stop", ["--confirm-timeout", "2", "--auto-rollback", "false"])
            expect(result, is: .rolledBack, says: "rolled back, now on generation 1")
        }
    }

    @Test func aLinkThatIsCutAndHealsBeforeTheDeadlineIsConfirmed() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "60"])
            try await scene.node.waits(for: Script.isHeld)
            try await scene.lab.tool("cut", "web1")
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.isAwaiting)
            try await scene.lab.tool("heal", "web1")
            try await expect(run, endsAs: .done, says: "deployed and confirmed on generation 2")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    @Test("R25: a link that stays cut past the deadline is told as rolled back")
    func aLinkThatStaysCutPastTheDeadlineIsToldAsRolledBack() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "3"])
            try await scene.node.waits(for: Script.isHeld)
            try await scene.lab.tool("cut", "web1")
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.has("rolledBack"))
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
            try await scene.lab.tool("heal", "web1")
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 1")
            #expect(!run.text.contains("deployed and confirmed"))
        }
    }
}
