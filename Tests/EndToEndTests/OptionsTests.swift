import Foundation
import Shared
import Testing

/// Every option of deploy-rs has an effect: those that change what happens on the node.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct OptionsNodeTests {
    /// What an activation finds, in a file for the test to read.
    private static let facts = """
        { echo "user=$(id -un)"; echo "tmp=${TMPDIR:-}"; echo "dry=$DRY_ACTIVATE"; echo "boot=$BOOT"; } >/tmp/facts
        """

    @Test func theProfilesUserIsTheCommandLines() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab).write([.init(activation: Self.facts)])
            let result = try await lab.deploy([
                "--profile-user", "app", "--temp-path", "/var/tmp", "--magic-rollback", "false", "--debug-logs",
                fixture.flake,
            ])
            expect(result, .done)
            #expect(try await node.shell("cat /tmp/facts") == "user=app\ntmp=/var/tmp\ndry=0\nboot=0")
            #expect(try await node.shell("stat -c %U /tmp/facts") == "app")
            #expect(try await node.profile(Node.appProfile("system")).hasSuffix("-activatable-system-1"))
            #expect(try await node.profile("/nix/var/nix/profiles/system") == "/nix/var/nix/profiles/system")
            // One login, no second one that confirms.
            #expect(try await node.logins() == ["Accepted publickey for root"])
        }
    }

    @Test func theSSHUserIsTheCommandLines() async throws {
        try await Lab.withNode(options: ["--trust", "deploy"]) { lab, node in
            let fixture = try Fixture(in: lab).write([.init(activation: Self.facts)])
            expect(try await lab.deploy(["--ssh-user", "deploy", fixture.flake]), .done)
            #expect(try await node.shell("head -1 /tmp/facts") == "user=root")
            #expect(try await node.logins() == Array(repeating: "Accepted publickey for deploy", count: 2))
        }
    }

    @Test func theHostNameIsTheCommandLinesAndForOneNodeOnly() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab).write([.init()], nodes: ["far", "near"])
            let both = try await lab.deploy(["--hostname", "web1", fixture.flake])
            expect(both, .usage, says: "--hostname is for one node, but 2 are deployed", "hint: name one node")
            expect(try await lab.deploy(["--hostname", "web1", "\(fixture.flake)#far"]), .done, says: "far: info:")
            #expect(try await node.generations() == [1])
        }
    }

    @Test func theSSHOptionsAreTheCommandLines() async throws {
        try await Lab.withNode { lab, node in
            try await lab.sshd("web1", "Port 22\nPort 2222")
            let fixture = try Fixture(in: lab).write([.init()], node: #"sshOpts = [ "-p" "1" ];"#)
            let refused = try await lab.deploy([fixture.flake])
            expect(refused, .unreachable, says: "web1: error:", "port 1", "nothing was activated")
            let result = try await lab.deploy(["--ssh-opts", "-p 2222 -o StrictHostKeyChecking=no", fixture.flake])
            expect(result, .done)
            #expect(try await node.generations() == [1])
        }
    }

    @Test func dryActivationAndBootReachTheScript() async throws {
        try await Lab.withNode { lab, node in
            let script =
                #"(activate.custom // { dryActivate = "echo would $DRY_ACTIVATE"; boot = "echo at boot $BOOT"; })"#
            let path = #"\#(script) (base "system") "touch /tmp/activated""#
            let fixture = try Fixture(in: lab).write([.init(path: path)])
            expect(try await lab.deploy(["--dry-activate", fixture.flake]), .done, says: "would 1", "nothing changed")
            #expect(try await node.generations() == [])
            expect(try await lab.deploy(["--boot", fixture.flake]), .done, says: "at boot 1")
            #expect(try await node.generations() == [1])
            #expect(try await node.shell("ls /tmp/activated 2>/dev/null || true") == "")
            expect(try await lab.deploy(["--boot", "--dry-activate", fixture.flake]), .usage, says: "cannot be used")
        }
    }

    @Test func timeoutsReachTheNode() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab).write([.init(activation: "sleep 60")])
            let slow = try await lab.deploy(["--activation-timeout", "1", fixture.flake])
            expect(slow, .rolledBack, says: "1 s")
            #expect(try await node.profile() == "/nix/var/nix/profiles/system")
            // The first login is let in; those that would confirm are not.
            try fixture.write([.init(activation: "lab-service sshd stop")])
            let cut = try await lab.deploy(["--confirm-timeout", "2", fixture.flake])
            expect(cut, .rolledBack, says: "rolls back in 2 s")
        }
    }

    @Test func rollbackOptionsReachTheNode() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab).write([
                .init(name: "first"), .init(name: "second", activation: "exit 3"),
            ])
            let profiles = "/nix/var/nix/profiles/per-user/root"
            let kept = try await lab.deploy(["--rollback-succeeded", "false", fixture.flake])
            expect(kept, .rolledBack, says: #"profile "second": rolled back"#)
            expect(kept, saysNot: "taking it back")
            #expect(try await node.profile("\(profiles)/first").hasSuffix("-first-1"))
            try fixture.write([.init(name: "first"), .init(name: "second", activation: "exit 3")], version: "2")
            let back = try await lab.deploy(["--rollback-succeeded", "true", fixture.flake])
            expect(back, .rolledBack, says: "taking it back")
            #expect(try await node.profile("\(profiles)/first").hasSuffix("-first-1"))
            let left = try await lab.deploy(["--auto-rollback", "false", fixture.flake])
            expect(left, .left, says: #"profile "second""#)
            #expect(try await node.profile("\(profiles)/second").hasSuffix("-second-2"))
        }
    }

    @Test func theSudoCommandIsTheCommandLines() async throws {
        try await Lab.withNode(options: ["--trust", "deploy"]) { lab, node in
            try await node.shell(
                #"printf '#!/bin/sh\necho "$1" >>/tmp/wrapped\nexec sudo -u "$@"\n' >/usr/local/bin/become"#
                    + " && chmod 755 /usr/local/bin/become")
            let fixture = try Fixture(in: lab).write([.init(activation: Self.facts)], node: #"sshUser = "deploy";"#)
            expect(try await lab.deploy(["--sudo", "/usr/local/bin/become", fixture.flake]), .done)
            #expect(try await node.shell("sort -u /tmp/wrapped; head -1 /tmp/facts") == "root\nuser=root")
        }
    }
}
