import Shared
import Testing

/// Plain NixOS systems, without a wrapper: closures with `bin/switch-to-configuration`, which moves
/// `/run/current-system` as NixOS's does.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct PlainSystemTests {
    private static let profile = "/nix/var/nix/profiles/system"

    /// Nix text of a system that leaves `NAME ACTION` when it is switched to.
    private func path(_ version: String, then: String = "true", moves: Bool = true) -> String {
        let move = moves ? "ln -sfn $(dirname $(dirname $(readlink -f $0))) /run/current-system" : "true"
        let script = """
            #!/bin/sh
            echo \(version) $1 >>/root/marks
            case $1 in test | switch) \(move) ;; esac
            \(then)

            """
        return """
            derivation {
              inherit system; name = "nixos-\(version)"; builder = "/bin/sh"; script = \(nixString(script));
              args = [ "-c" ''/bin/mkdir -p $out/bin; printf %s "$script" >$out/bin/switch-to-configuration
                /bin/chmod +x $out/bin/switch-to-configuration'' ];
            }
            """
    }

    private func write(_ scene: Scene, _ version: String, then: String = "true", moves: Bool = true, extra: String = "")
        throws
    {
        try scene.fixture.write([.init(extra: extra, path: path(version, then: then, moves: moves))])
    }

    private func deploy(
        _ scene: Scene, _ version: String, then: String = "true", moves: Bool = true, _ words: [String] = []
    ) async throws -> LocalResult {
        try write(scene, version, then: then, moves: moves)
        return try await scene.lab.deploy([scene.fixture.flake] + words)
    }

    /// The name of the system that runs.
    private func running(_ node: Node) async throws -> String {
        String(try await node.shell("readlink -f /run/current-system").suffix(3))
    }

    @Test func itRunsBeforeItIsTheProfilesAndTheNextBoots() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done, says: "deployed and confirmed on generation 1")
            try write(scene, "two", then: "[ $1 != test ] || { \(Script.hold); }")
            let run = try scene.lab.start([scene.fixture.flake])
            try await scene.node.waits(for: Script.isHeld)
            #expect(
                try await scene.state()
                    == .init(current: 1, generations: [1], marks: ["one test", "one boot", "two test"]))
            try await scene.node.shell(Script.release)
            try await expect(run, endsAs: .done, says: "deployed and confirmed on generation 2")
            #expect(try await scene.state().marks.suffix(2) == ["two test", "two boot"])
            #expect(try await running(scene.node) == "two")
        }
    }

    /// Neither the profile nor the next boot has moved, so the old system comes up by itself.
    @Test("R21, A11: a power loss in the window boots the old system")
    func aPowerLossInTheWindowBootsTheOldSystem() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            try write(scene, "two", then: "[ $1 != test ] || lab-service sshd stop")
            let run = try scene.lab.start([scene.fixture.flake, "--confirm-timeout", "60"])
            try await scene.node.waits(for: Script.isAwaiting)
            #expect(try await running(scene.node) == "two")
            // What booting NixOS does before anyone can log in, with the profile that the boot loader knows.
            let link = "[ -e /run/current-system ] || ln -sfn $(readlink -f \(Self.profile)) /run/current-system"
            try await scene.node.shell("echo '\(link)' >/etc/ssh/sshrc")
            try await scene.lab.tool("kill", "web1")
            try await scene.lab.tool("boot", "web1")
            try await expect(run, endsAs: .rolledBack, says: "the node has been restarted since")
            #expect(try await running(scene.node) == "one")
            #expect(
                try await scene.state()
                    == .init(current: 1, generations: [1], marks: ["one test", "one boot", "two test"]))
        }
    }

    @Test func oneThatFailsGoesBackToWhatRan() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            expect(
                try await deploy(scene, "two", then: "exit 1"), is: .rolledBack,
                says: "rolled back, now on generation 1")
            let marks = try await scene.state().marks
            #expect(marks == ["one test", "one boot", "two test", "one test"])
            #expect(try await running(scene.node) == "one")
        }
    }

    /// What ran need not be what the profile says: after `nixos-rebuild test` by hand, that comes back.
    @Test func whatRanComesBackRatherThanWhatTheProfileSays() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            try write(scene, "odd")
            let built = try await scene.lab.deploy([scene.fixture.flake, "--boot"])
            expect(built, is: .done, says: "set for the next boot on generation 2")
            try await scene.node.shell("\(Self.profile)/bin/switch-to-configuration test")
            try await scene.node.shell("nix-env -p \(Self.profile) --switch-generation 1")
            expect(try await deploy(scene, "two", then: "exit 1"), is: .rolledBack)
            #expect(try await running(scene.node) == "odd")
            #expect(try await scene.node.generation() == 1)
        }
    }

    /// It says that it went well, while another system runs.
    @Test("R33: a switch that did not take place is no success")
    func aSwitchThatDidNotTakePlaceIsNoSuccess() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            expect(
                try await deploy(scene, "two", moves: false), is: .rolledBack, says: "the running system is /nix/store/"
            )
            #expect(try await scene.node.generation() == 1)
        }
    }

    @Test("R31, A22: one that needs a reboot says so")
    func oneThatNeedsARebootSaysSo() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            let refused = try await deploy(scene, "two", then: "[ $1 != test ] || exit 100")
            expect(
                refused, is: .needsReboot, says: "can only take over by a reboot", "deploy it with --boot",
                "rolled back, needs a reboot")
            let result = try await scene.lab.deploy([scene.fixture.flake, "--boot"])
            expect(result, is: .done, says: "set for the next boot on generation 2")
            #expect(try await scene.state().marks.last == "two boot")
            #expect(try await running(scene.node) == "one")
        }
    }

    @Test("R33: under another name it is refused")
    func underAnotherNameItIsRefused() async throws {
        try await Scene.with { scene in
            try scene.fixture.write([.init(name: "web", path: path("one"))])
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(result, is: .failed, says: "the node boots another profile", "nothing changed")
            #expect(try await scene.state().marks == [])
        }
    }

    @Test func aDryRunChangesNothing() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one", ["--dry-activate"]), is: .done, says: "nothing changed")
            #expect(try await scene.state() == .init(current: nil, generations: [], marks: ["one dry-activate"]))
        }
    }

    @Test func itsHistoryIsTold() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            expect(try await deploy(scene, "two", then: "echo last words; exit 1"), is: .rolledBack)
            let address = try await scene.lab.run(["sh", "-c", "ssh web1 'echo $SSH_CONNECTION'"]).text
            let client = try #require(address.split(separator: " ").first)
            let words = ["\(Lab.prefix ?? "")/bin/deploy", "status", "--history", "5", scene.fixture.flake]
            let status = try await scene.lab.run(words)
            expect(
                status, is: .done, says: " rolledBack, by ", " committed, by ", " from \(client): ", "nothing -> 1 (",
                "    | last words")
        }
    }
}
