import Foundation
import Glibc
import Shared
import Testing

/// Closures that hold deploy-rs's own agent, which a stand-in plays by its rules: `--agent closure`.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct ClosureAgentTests {
    /// Writes the flake: a closure of deploy-rs's shape whose activation leaves its mark, then does what follows.
    private func write(_ scene: Scene, _ version: String, then: String, extra: String = "") throws {
        let file = "\(scene.fixture.folder)/activate-rs"
        if !FileManager.default.fileExists(atPath: file) {
            try FileManager.default.copyItem(atPath: "\(Lab.root)/Tests/StandIns/activate-rs", toPath: file)
        }
        let script = """
            #!/usr/bin/env bash
            if [[ $DRY_ACTIVATE == 1 ]]; then echo "would activate \(version)"; exit; fi
            \(Script.mark(version))
            \(then)
            """
        let path = """
            derivation {
              inherit system; name = "activatable-\(version)"; builder = "/bin/sh";
              script = \(nixString(script));
              args = [ "-c" ''/bin/mkdir $out; printf '%s\\n' "$script" >$out/deploy-rs-activate
                /bin/cp ${./activate-rs} $out/activate-rs; /bin/chmod +x $out/*'' ];
            }
            """
        try scene.fixture.write([.init(extra: extra, path: path)])
    }

    private func deploy(
        _ scene: Scene, _ version: String, then: String = "true", _ words: [String] = []
    ) async throws -> LocalResult {
        try write(scene, version, then: then)
        return try await scene.lab.deploy([scene.fixture.flake, "--agent", "closure"] + words)
    }

    @Test func itIsDrivenConfirmedAndAsked() async throws {
        try await Scene.with { scene in
            for (index, version) in ["one", "two"].enumerated() {
                let result = try await deploy(scene, version)
                expect(
                    result, is: .done, says: "the closures' own are driven", "confirming over a new connection",
                    "deployed and confirmed on generation \(index + 1)")
                expect(result, saysNot: "sending the agent")
            }
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
            // One login for the work, one for each confirmation.
            #expect(try await scene.node.logins().count == 4)
            let status = try await scene.lab.run(
                ["\(Lab.prefix ?? "")/bin/deploy", "status", "--agent", "closure", scene.fixture.flake])
            expect(status, is: .done, says: "web1.system: generation 2, /nix/store/", "keeps no record")
            #expect(try await scene.node.shell("ls /tmp /nix/store").contains("deploy-swift-agent") == false)
        }
    }

    @Test func aDryRunChangesNothing() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            let result = try await deploy(scene, "two", ["--dry-activate"])
            expect(result, is: .done, says: "would activate two", "dry run done, nothing changed")
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one"]))
        }
    }

    @Test func aFailedActivationIsRolledBackByItAndTold() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            let result = try await deploy(scene, "two", then: "exit 3")
            expect(result, is: .rolledBack, says: "rolled back, now on generation 1", "bad exit code: Some(3)")
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one", "two", "one"]))
            let left = try await deploy(scene, "three", then: "exit 3", ["--auto-rollback", "false"])
            expect(left, is: .left, says: "failed and was left on generation 2")
        }
    }

    @Test func aLockoutIsRolledBackByIt() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one", then: "lab-service sshd restart"), is: .done)
            let result = try await deploy(scene, "two", then: "lab-service sshd stop", ["--confirm-timeout", "3"])
            expect(result, is: .rolledBack, says: "rolled back, now on generation 1")
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one", "two", "one"]))
        }
    }

    /// The canary that deploy-rs leaves when its time is over would confirm the next run of the same closure at once.
    @Test func aCanaryOfAnEarlierRunConfirmsNothing() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            let locked = "[ -e /root/open ] || lab-service sshd stop"
            expect(try await deploy(scene, "two", then: locked, ["--confirm-timeout", "2"]), is: .rolledBack)
            #expect(try await scene.node.shell("ls /tmp").contains("deploy-rs-canary-"))
            try await scene.node.shell("lab-service sshd start; touch /root/open")
            expect(try await deploy(scene, "two", then: locked), is: .done, says: "deployed and confirmed")
            #expect(try await scene.state().current == 2)
        }
    }

    /// Its rollback goes one back and deletes: with no earlier generation, or from an older one, that is no way back.
    @Test func aRollbackThatLeadsElsewhereIsStuck() async throws {
        try await Scene.with { scene in
            let first = try await deploy(scene, "one", then: "exit 1")
            expect(first, is: .stuck, says: "is stuck on generation 1", "the link is still on the new generation")
            expect(try await deploy(scene, "two"), is: .done)
            // The operator went back: one back from the next is not where the node was.
            try await scene.node.shell("nix-env -p /nix/var/nix/profiles/system --switch-generation 1")
            let wrong = try await deploy(scene, "three", then: "exit 1")
            expect(wrong, is: .stuck, says: "is stuck on generation 2", "was not the recorded one, generation 1")
        }
    }

    @Test func whatItsRunHadDeployedIsTakenBack() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            try write(scene, "two", then: "true")
            let text = try String(contentsOfFile: "\(scene.fixture.folder)/flake.nix", encoding: .utf8)
            let second =
                #""zapp" = { user = "root"; path = (derivation { inherit system; name = "bad"; builder = "/bin/sh"; "#
                + #"args = [ "-c" "/bin/mkdir $out; echo exit 1 >$out/deploy-rs-activate; "#
                + #"/bin/cp ${./activate-rs} $out/activate-rs; /bin/chmod +x $out/*" ]; }); };"#
            try text.replacing("profiles = { ", with: "profiles = { \(second)")
                .write(toFile: "\(scene.fixture.folder)/flake.nix", atomically: true, encoding: .utf8)
            let result = try await scene.lab.deploy([scene.fixture.flake, "--agent", "closure"])
            expect(result, is: .stuck, says: "taking it back", "rolled back, now on generation 1")
            #expect(try await scene.state().marks == ["one", "two", "one"])
        }
    }

    @Test func aLostConnectionIsNoVerdict() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            try write(scene, "two", then: Script.hold)
            let run = try scene.lab.start(
                [scene.fixture.flake, "--agent", "closure", "--magic-rollback", "false", "--confirm-timeout", "1"])
            try await scene.node.waits(for: Script.isHeld)
            // Only this node's sessions: its own process namespace.
            try await scene.node.shell("kill $(pgrep -f '[s]shd(-session)?: root@')")
            try await expect(run, endsAs: .unknown, says: "contact was lost", "keeps no record", "generation 2")
            try await scene.node.shell(Script.release)
        }
    }

    /// Its lines go nowhere then; it ends at the first one that it cannot write, and so does the stand-in.
    @Test func leftAloneItEndsWithoutARollback() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            try write(scene, "two", then: Script.hold)
            let run = try scene.lab.start([scene.fixture.flake, "--agent", "closure", "--confirm-timeout", "1"])
            try await scene.node.waits(for: Script.isHeld)
            run.signal(SIGINT)
            try await run.says("left alone, deploy-rs's agent ends before its next step, without a rollback")
            run.signal(SIGINT)
            try await expect(run, endsAs: .interrupted, says: "left: what is under way")
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: "! pgrep -f 'activate-r[s] activate'")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    @Test func whatItDoesNotKnowIsTold() async throws {
        try await Scene.with { scene in
            try write(scene, "one", then: "true", extra: "onPartialFailure = \"warn\";")
            let result = try await scene.lab.deploy(
                [scene.fixture.flake, "--agent", "closure", "--wait-lock", "5"])
            let warning = "web1: warn: the closures' own agents, which are deploy-rs's, know no "
            expect(result, is: .done, says: warning + "--wait-lock and no onPartialFailure: without effect there")
            #expect(result.errorText.split(separator: "know no").count == 2)
            expect(try await deploy(scene, "two"), is: .done)
            expect(try await deploy(scene, "three"), saysNot: "without effect")
        }
    }

    @Test func itsEventsFitTheirSchema() async throws {
        try await Scene.with { scene in
            let schema = try JSONSchema(file: "\(Lab.root)/events.json")
            let good = try await deploy(scene, "one", ["--json"])
            expect(good, is: .done)
            #expect(try schema.problems(inLines: good.text) == [])
            for event in ["started", "awaiting", "outcome"] {
                #expect(good.text.contains("\"event\":\"\(event)\""), "\(good.text)")
            }
            #expect(good.text.contains("\"verdict\":\"committed\""), "\(good.text)")
            let bad = try await deploy(scene, "two", then: "exit 3", ["--json"])
            expect(bad, is: .rolledBack)
            #expect(try schema.problems(inLines: bad.text) == [])
            #expect(bad.text.contains("\"verdict\":\"rolledBack\""), "\(bad.text)")
            let status = try await scene.lab.run(
                ["\(Lab.prefix ?? "")/bin/deploy", "status", "--json", "--agent", "closure", scene.fixture.flake])
            #expect(try schema.problems(inLines: status.text) == [])
            #expect(status.text.contains("\"number\":1"), "\(status.text)")
        }
    }

    @Test func aClosureWithoutOneIsRefusedBeforeAnythingChanges() async throws {
        try await Scene.with { scene in
            let plain = """
                derivation { inherit system; name = "bare"; builder = "/bin/sh";
                  args = [ "-c" "/bin/mkdir $out; echo true >$out/deploy-rs-activate; /bin/chmod +x $out/*" ]; }
                """
            try scene.fixture.write([.init(path: plain)])
            let result = try await scene.lab.deploy([scene.fixture.flake, "--agent", "closure"])
            expect(result, is: .failed, says: "no activate-rs in the closure", "--agent FILE")
            #expect(try await scene.state() == .init(current: nil, generations: [], marks: []))
        }
    }
}
