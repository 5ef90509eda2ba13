import Foundation
import Shared
import Testing

/// The connection dies, the node does not: `deploy` finds it again and tells what it says.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct ReconnectionTests {
    @Test("R4, R5: a link that blips while it is confirmed, and comes back in time, ends committed")
    func aBlipInTheWindowEndsCommitted() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            // Gone when the confirmation starts, back some seconds later, all by itself.
            let blip = "(ip link set eth0 down; sleep 4; ip link set eth0 up) >/dev/null 2>&1 &"
            let result = try await scene.deploy("two", then: blip, ["--confirm-timeout", "60"])
            expect(result, is: .done, says: "deployed and confirmed on generation 2")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    /// The first address that the name has leads nowhere.
    @Test("R4: every address of the node is tried, for the confirmation and after a lost connection")
    func everyAddressIsTried() async throws {
        try await Scene.with { scene in
            let live = try await scene.lab.address("web1")
            let dead = live.split(separator: ".").dropLast().joined(separator: ".") + ".99"
            let hosts = "\(scene.lab.folder)/hosts"
            try "\(dead) twofold\n\(live) twofold\n".write(toFile: hosts, atomically: true, encoding: .utf8)
            let words = ["-o", "HostName=twofold", "-o", "HostKeyAlias=web1"]
            try scene.fixture.write(
                [.init(activation: "\(Script.mark("one")); \(Script.hold)")],
                node: "sshOpts = [ \(words.map(nixString).joined(separator: " ")) ];")
            let deploy = "\(Lab.prefix ?? "")/bin/deploy --skip-checks -d \(shellQuoted(scene.fixture.flake))"
            let inside = ["sh", "-c", "mount --bind \(hosts) /etc/hosts && exec \(deploy)"]
            let run = try RunningDeploy(scene.lab, program: ["\(Lab.root)/lab/lab", "run", "--"] + inside)
            try await scene.node.waits(for: Script.isHeld)
            try await scene.node.shell("pkill -9 -f '^sshd(-session)?: [a-z]+'")
            try await run.says("contact was lost")
            try await scene.node.shell(Script.release)
            try await expect(run, endsAs: .done, says: "deployed and confirmed on generation 1")
        }
    }

    /// The node is gone for good: its own deadline passes, and nobody pretends to know.
    @Test("R24: what nobody can ask is unknown, with the command that tells later")
    func whatNobodyCanAskIsUnknown() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let settings = "activationTimeout = 10;"
            let run = try scene.start("two", then: Script.hold, extra: settings, ["--confirm-timeout", "1"])
            try await scene.node.waits(for: Script.isHeld)
            try await scene.lab.tool("kill", "web1")
            let flake = shellQuoted(scene.fixture.flake)
            let exit = try await run.exit(within: .seconds(270))
            #expect(exit == .code(ExitCode.unknown.rawValue), "\(run.text)")
            let status = "deploy status --confirm"
            #expect(!run.text.contains(status))
            #expect(run.text.contains("once the node answers again: deploy status \(flake)"), "\(run.text)")
            expect(run.text, hasRow: "web1 system 1 -> ? unknown")
            try await scene.lab.tool("boot", "web1")
            expect(try await scene.status(), is: .done, says: "interrupted: the next deploy finishes it")
        }
    }

    /// A guardian that is stopped keeps no deadline; whoever waits for it is not stopped with it.
    @Test("R24: a node that does not keep its own limits is unknown, and tells the truth later")
    func aSuspendedGuardianIsUnknown() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            func guardian(_ signal: String) -> String { "pkill -\(signal) -f '[b]in/activate guardian'" }
            let run = try scene.start("two", then: guardian("STOP"), extra: "activationTimeout = 1;")
            try await expect(
                run, endsAs: .unknown, says: "said nothing for longer than its own limits allow", "deploy status")
            try await scene.node.shell(guardian("CONT"))
            try await scene.node.waits(for: "\(Script.has("committed")) || \(Script.has("rolledBack"))")
        }
    }

    /// It neither asks, nor confirms, nor recovers: not even the folder for the journal is made.
    @Test("R19: a dry run that loses its connection does nothing more")
    func aDryRunThatLosesItsConnectionDoesNothingMore() async throws {
        try await Scene.with { scene in
            let dry = "(activate.custom // { dryActivate = \(nixString(Script.hold)); }) (base \"dry\") \"true\""
            try scene.fixture.write([.init(path: dry)])
            let run = try scene.lab.start([scene.fixture.flake, "--dry-activate"])
            try await scene.node.waits(for: Script.isHeld)
            try await scene.node.shell("pkill -9 -f '^sshd(-session)?: [a-z]+'")
            try await expect(run, endsAs: .unreachable, says: "not activated, nothing changed")
            #expect(try await scene.node.logins().count == 1)
            try await scene.node.shell(Script.release)
            #expect(try await scene.node.shell("ls -A /nix/var/nix/profiles | grep deploy-swift || true").isEmpty)
            #expect(try await scene.state() == .init(current: nil, generations: [], marks: []))
        }
    }
}
