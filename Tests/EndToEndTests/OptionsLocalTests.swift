import Foundation
import Shared
import Testing

/// Every option of deploy-rs has an effect: those that change what happens here, and what is copied.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct OptionsLocalTests {
    @Test func keptResultsAreRootsOfTheGarbageCollector() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab).write([.init()])
            let work = "\(lab.folder)/work"
            try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
            let deploy = "\(Lab.prefix ?? "")/bin/deploy"
            let inWork = ["env", "-C", work, deploy, "-s", fixture.flake]
            expect(try await lab.run(inWork + ["-k"]), .done)
            expect(try await lab.run(inWork + ["-k", "-r", "./kept here"]), .done)
            for link in ["\(work)/.deploy-gc/web1/system", "\(work)/kept here/web1/system"] {
                let target = try FileManager.default.destinationOfSymbolicLink(atPath: link)
                #expect(target.hasSuffix("-activatable-system-1"))
            }
            // Newer versions put the link in quotes.
            let roots = try await lab.run(["nix-store", "--gc", "--print-roots"]).text.replacing("\"", with: "")
            #expect(roots.contains("\(work)/.deploy-gc/web1/system -> "))
            #expect(roots.contains("\(work)/kept here/web1/system -> "))
            expect(try await lab.run(inWork), .done)
            #expect(try FileManager.default.contentsOfDirectory(atPath: work).sorted() == [".deploy-gc", "kept here"])
        }
    }

    @Test func aFailingCheckStopsADeployUnlessSkipped() async throws {
        try await Lab.withNode { lab, node in
            let failing = """
                checks.${system}.bad = derivation {
                  inherit system; name = "bad"; builder = "/bin/sh"; args = [ "-c" "echo the check says no >&2; exit 1" ];
                };
                """
            let fixture = try Fixture(in: lab)
            let plain = #"nodes.web1 = { hostname = "web1"; sshUser = "root"; profiles.p = { user = "root"; path = "#
            try fixture.write(deploy: #"{ \#(plain) activate.noop (base "p"); }; }; }"#, outputs: failing)
            let deploy = "\(Lab.prefix ?? "")/bin/deploy"
            let checked = try await lab.run([deploy, fixture.flake])
            expect(checked, .failed, says: "the check says no", "the checks of path:", "--skip-checks deploys without")
            expect(checked, saysNot: "error: error:")
            #expect(checked.errorText.split(separator: "the check says no").count == 2, "\(checked.errorText)")
            // The check may have failed before the node was even looked at.
            let profiles = "ls /nix/var/nix/profiles 2>/dev/null | grep -v per-user || true"
            #expect(try await node.shell(profiles).isEmpty)
            expect(try await lab.run([deploy, "-s", fixture.flake]), .done)
        }
    }

    @Test func aRemoteBuildRunsOnTheNode() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab)
            let builder = #"args = [ "-c" "/bin/mkdir $out; hostname >$out/host" ]; PATH = "/usr/bin:/bin";"#
            let base = #"(derivation { inherit system; name = "where"; builder = "/bin/sh"; \#(builder) })"#
            try fixture.write([.init(path: #"activate.custom \#(base) "cp host /tmp/""#)])
            let result = try await lab.deploy(["--remote-build", fixture.flake])
            expect(result, .done, says: "building on the node")
            #expect(try await node.shell("cat /tmp/host") == "web1")
            let path = try await node.profile()
            #expect(try await !lab.run(["test", "-e", path]).exit.isSuccess)
        }
    }

    @Test func logsAreWrittenHereAndOnTheNode() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab).write([.init(activation: "echo from the script")])
            let logs = "\(lab.folder)/logs"
            expect(try await lab.deploy(["--log-dir", logs, fixture.flake]), .done)
            let all = try String(contentsOfFile: logs + "/deploy.log", encoding: .utf8)
            #expect(all.contains("deploy: info: evaluating") && all.contains("web1: system: from the script"))
            // Debug lines are in the log though nobody asked to see them.
            #expect(all.contains("web1: debug: running"))
            let ours = try String(contentsOfFile: logs + "/web1.log", encoding: .utf8)
            #expect(ours.contains("deployed and confirmed") && !ours.contains("evaluating"))
            let theirs = try await node.shell("cat \(logs)/activate_guardian_*.log")
            #expect(theirs.contains("from the script"))
            #expect(theirs.contains("Committed"))
            #expect(try await node.shell("cat \(logs)/activate_confirm_*.log").contains("Committed"))
        }
    }

    @Test func everyCallOfTheAgentThatDoesSomethingWritesALog() async throws {
        try await Lab.withNode { lab, node in
            let logs = "\(lab.folder)/logs"
            let fixture = try Fixture(in: lab)
            let path = "(activate.custom // { dryActivate = \"echo would\"; }) (base \"one\") \"echo does\""
            try fixture.write([.init(path: path)])
            expect(try await lab.deploy(["--log-dir", logs, "--dry-activate", fixture.flake]), .done)
            #expect(try await node.shell("cat \(logs)/activate_activate_*.log").contains("would"))
            try fixture.write([.init(), .init(name: "web", user: "root", activation: "exit 3")])
            expect(try await lab.deploy(["--log-dir", logs, fixture.flake]), .rolledBack)
            #expect(try await node.shell("cat \(logs)/activate_revoke_*.log").contains("Rolled back: it was revoked"))
        }
    }

    @Test func debugLogsShowCommandsThatAreNotShownOtherwise() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab).write([.init()])
            let quiet = try await lab.deploy([fixture.flake])
            expect(quiet, .done)
            expect(quiet, saysNot: "debug:", "/bin/activate")
            let loud = try await lab.deploy(["-d", "--force", fixture.flake])
            expect(loud, .done, says: "web1: debug: running nix ", "/bin/activate --debug-logs activate /nix/store/")
        }
    }

    @Test func aFastConnectionLeavesSubstitutesOut() async throws {
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab).write([.init()], node: "fastConnection = true;")
            let fast = try await lab.deploy(["-d", fixture.flake])
            expect(fast, .done)
            expect(fast, saysNot: "--substitute-on-destination")
            let slow = try await lab.deploy(["-d", "--fast-connection", "false", "--force", fixture.flake])
            expect(slow, .done, says: "--substitute-on-destination")
        }
    }

    @Test func signaturesAreCheckedOnRequestAndLocalKeySigns() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab).write([.init()])
            let unsigned = try await lab.deploy(["--checksigs", fixture.flake])
            expect(unsigned, .failed, says: "web1: error: copy failed", "signature", "LOCAL_KEY=<secret key file> and")
            #expect(try await node.generations() == [])
            let secret = "\(lab.folder)/secret.key"
            let made = try await lab.run(["nix-store", "--generate-binary-cache-key", "lab-1", secret, secret + ".pub"])
            #expect(made.exit.isSuccess)
            let key = trimmed(try String(contentsOfFile: secret + ".pub", encoding: .utf8))
            try await node.shell(
                "echo 'trusted-public-keys = \(key)' >>/etc/nix/nix.conf && lab-service nix-daemon restart")
            let environment = ["LOCAL_KEY": secret]
            expect(try await lab.deploy(["-c", fixture.flake], environment: environment), .done)
            // Somebody whom the node's Nix does not trust.
            try fixture.write([.init(user: "app")], version: "2", node: #"sshUser = "app";"#)
            let untrusted = try await lab.deploy([fixture.flake])
            expect(untrusted, .failed, says: "not trusted by the node's Nix", "trusted-users", "nothing was activated")
            expect(try await lab.deploy([fixture.flake], environment: environment), .done)
        }
    }

    @Test func extraArgumentsReachCheckEvaluationAndBuild() async throws {
        let profile = #"{ user = "root"; path = activate.noop (base "p"); }"#
        let node = #"{ hostname = "web1"; sshUser = "root"; profiles.p = \#(profile); }"#
        try await Lab.withNode { lab, _ in
            let fixture = try Fixture(in: lab)
            let deploy = "\(Lab.prefix ?? "")/bin/deploy"
            let check = "checks.${builtins.currentSystem}.good = base \"good\";"
            try fixture.write(
                deploy: "{ nodes.${builtins.getEnv \"NODE\"} = \(node); }", outputs: check)
            let impure = [deploy, fixture.flake, "--", "--impure"]
            expect(try await lab.run([deploy, fixture.flake], environment: ["NODE": "web1"]), .failed)
            // What may not build anything evaluates, but neither checks nor builds.
            let nothing = ["--max-jobs", "0"]
            let unchecked = try await lab.run(impure + nothing, environment: ["NODE": "web1"])
            expect(unchecked, .failed, says: "the checks of")
            let unbuilt = try await lab.run(
                [deploy, "-s"] + impure.dropFirst() + nothing, environment: ["NODE": "web1"])
            expect(unbuilt, .failed, says: "web1.p could not be built")
            expect(try await lab.run(impure, environment: ["NODE": "web1"]), .done)
        }
    }

    @Test func aFileIsReadInPlaceOfAFlake() async throws {
        try await Lab.withNode { lab, node in
            let file = "\(lab.folder)/it's default.nix"
            let text = """
                { version ? "none" }: let
                  lib = import \(Lab.prefix ?? "")/share/deploy-swift/lib { system = "x86_64-linux"; };
                  base = derivation {
                    system = "x86_64-linux"; name = "file-${version}"; builder = "/bin/sh"; args = [ "-c" "/bin/mkdir $out" ];
                  };
                  profile = { user = "root"; path = lib.activate.noop base; };
                in {
                  deploy.nodes."my.server" = {
                    hostname = "web1"; sshUser = "root"; profiles.system = profile; profiles.other = profile;
                  };
                }
                """
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            let words = ["-f", file, #""my.server".system"#, "--", "--argstr", "version", "7"]
            expect(try await lab.deploy(words), .done, says: #"profile "system": deployed"#)
            #expect(try await node.profile().hasSuffix("-activatable-file-7"))
            #expect(try await node.shell("ls /nix/var/nix/profiles/per-user/root 2>/dev/null || true") == "")
            let hash = try await lab.deploy(["--file", file, ".#web1"])
            expect(hash, .usage, says: "names a flake, but --file is given", "with --file a target is node")
            let missing = try await lab.deploy(["--file", file, "web1"])
            expect(missing, .failed, says: #"there is no node "web1""#, "my.server")
        }
    }

    @Test func severalTargetsAndQuotedNames() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab)
            let profile = #"{ user = "root"; path = activate.noop (base "p"); }"#
            let node1 = #"hostname = "web1"; sshUser = "root"; profiles = { a = \#(profile); b = \#(profile); }"#
            try fixture.write(deploy: #"{ nodes."my.server" = { \#(node1); }; nodes.second = { \#(node1); }; }"#)
            let quoted = try await lab.deploy(["\(fixture.flake)#\"my.server\".a"])
            expect(quoted, .done, says: #"my.server: info: profile "a": deployed"#)
            expect(quoted, saysNot: #"profile "b""#)
            let two = ["\(fixture.flake)#second.b", "\(fixture.flake)#\"my.server\".a"]
            let several = try await lab.deploy(["--targets"] + two)
            expect(several, .done)
            expect(several.errorText, hasRow: "second b none -> 1 deployed")
            expect(several.errorText, hasRow: "my.server a 1 unchanged")
            let unquoted = try await lab.deploy(["\(fixture.flake)#my.server.a"])
            expect(unquoted, .usage, says: "did you mean quotes? '\(fixture.flake)#\"my.server\".a'")
            #expect(try await node.generations("/nix/var/nix/profiles/per-user/root/b") == [1])
        }
    }

    @Test func helpAndVersionNeedNothing() async throws {
        let deploy = "\(Lab.prefix ?? "")/bin/deploy"
        for words in [["--help"], ["-h"], ["--nonsense", "--help"]] {
            let help = try await LocalCommand([deploy] + words, environment: [:]).run(timeLimit: .seconds(120))
            if words.count > 1 {
                expect(help, .usage, says: "unknown option --nonsense")
                continue
            }
            expect(help, .done)
            #expect(help.text.hasPrefix("usage: deploy ") && help.errorText.isEmpty)
            #expect(help.text.split(separator: "\n").allSatisfy { $0.count <= 120 })
            for option in ["--checksigs", "--rollback-succeeded", "--activation-timeout", "130  interrupted"] {
                #expect(help.text.contains(option))
            }
        }
        let version = try await LocalCommand([deploy, "--version"], environment: [:]).run(timeLimit: .seconds(120))
        #expect(version.text.hasPrefix("deploy-swift 0.") && version.exit.isSuccess)
    }
}
