import Shared
import Testing

/// Nothing waits for what it does not need: nodes are looked at before the closures are known, and get them as they come.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct PipelineTests {
    /// A derivation of the deployer's side that is built only once a file is there.
    static func waiting(for file: String, _ name: String) -> String {
        let wait = "PATH=/usr/bin:/bin; until [ -e \(file) ]; do sleep 0.05; done"
        let script = "\(wait); mkdir $out; echo -n \(name) >$out/name"
        let words = #"builder = "/bin/sh"; args = [ "-c" \#(nixString(script)) ];"#
        return #"(derivation { inherit system; name = "\#(name)"; \#(words) })"#
    }

    private static let limit = "-o ConnectTimeout=3"

    @Test func aNodeIsLookedAtWhileItsClosureIsStillEvaluated() async throws {
        try await Lab.withNode { lab, node in
            let go = "\(lab.folder)/go"
            let name = "${builtins.readFile \"${\(Self.waiting(for: go, "late"))}/name\"}"
            let path = "activate.custom (base \"\(name)\") \(nixString(Script.mark("one")))"
            let fixture = try Fixture(in: lab).write([.init(path: path)])
            let run = try lab.start(["-d", fixture.flake])
            try await run.says("web1: debug: preflight of root@web1 ended with exit status 0")
            #expect(!run.text.contains("building 1 profile"))
            _ = try await lab.run(["touch", go])
            try await expect(run, endsAs: .done, says: "deployed and confirmed on generation 1")
            // One login that looks and activates, one that confirms.
            #expect(try await node.logins().count == 2)
        }
    }

    @Test func aDeadNodeIsToldWithinSecondsHoweverLongTheEvaluationTakes() async throws {
        try await Lab.withNode { lab, _ in
            try await lab.tool("cut", "web1")
            let never = "${builtins.readFile \"${\(Self.waiting(for: "\(lab.folder)/never", "never"))}/name\"}"
            let fixture = try Fixture(in: lab).write([.init(path: "activate.noop (base \"\(never)\")")])
            let result = try await lab.deploy(["--ssh-opts", Self.limit, fixture.flake], timeLimit: .seconds(120))
            expect(result, is: .unreachable, says: "web1: error: preflight failed", "nothing was activated on any node")
        }
    }

    /// web2 gets its closure while web1 still waits for its own, and is not activated before that.
    @Test func closuresAreCopiedAsTheyAreBuilt() async throws {
        try await Lab.with { lab in
            try await lab.tool("up", "web1", "web2")
            let go = "\(lab.folder)/go"
            let fixture = try Fixture(in: lab)
            try fixture.write(deploy: Self.deploy(["web1": Self.waiting(for: go, "late"), "web2": "(base \"early\")"]))
            let run = try lab.start([fixture.flake, "--", "--max-jobs", "2"])
            let node = Node(lab: lab, name: "web2")
            try await run.says("web2: info: copying 1 closure")
            try await node.waits(for: "ls -d /nix/store/*-activatable-early >/dev/null 2>&1")
            #expect(try await node.marks() == [])
            #expect(!run.text.contains("web1: info: copying"))
            _ = try await lab.run(["touch", go])
            try await expect(run, endsAs: .done, says: "web1: info: copying 1 closure")
            #expect(try await node.marks() == ["web2"])
        }
    }

    /// The check fails once all is built and copied, which it has not held up.
    @Test func checksRunBesideTheWorkAndHoldUpActivationsAlone() async throws {
        try await Lab.withNode { lab, node in
            let go = "\(lab.folder)/go"
            let wait = "PATH=/usr/bin:/bin; until [ -e \(go) ]; do sleep 0.05; done"
            let script = nixString("\(wait); echo the check says no >&2; exit 1")
            let builder = #"builder = "/bin/sh"; args = [ "-c" \#(script) ];"#
            let slow = #"derivation { inherit system; name = "slow"; \#(builder) }"#
            let fixture = try Fixture(in: lab)
            let checks = "checks.${system}.slow = \(slow);"
            try fixture.write(deploy: Self.deploy(["web1": "(base \"checked\")"]), outputs: checks)
            let run = try RunningDeploy(lab, program: lab.deployWords(Lab.withoutGuesses([fixture.flake])))
            try await run.says("web1: info: copying 1 closure")
            try await node.waits(for: "ls -d /nix/store/*-activatable-checked >/dev/null 2>&1")
            _ = try await lab.run(["touch", go])
            try await expect(run, endsAs: .failed, says: "the check says no")
            #expect(!run.text.contains("activating"))
            #expect(try await node.marks() == [])
            #expect(try await node.generations() == [])
        }
    }

    /// Two profiles, each over a login of its own: what one process of Nix can do for both is done by one.
    @Test func nothingIsEvaluatedBuiltOrSentTwice() async throws {
        try await Lab.withNode { lab, node in
            let calls = try NixCalls(in: lab)
            let fixture = try Fixture(in: lab)
            let profiles = [Fixture.Profile(), .init(name: "hello", user: "app", extra: #"sshUser = "app";"#)]
            try fixture.write(profiles)
            expect(try await calls.deploy([fixture.flake]), is: .done)
            let first = try calls.taken()
            // The agent, and then both closures.
            for (call, count) in [("nix eval", 1), ("nix build", 1), ("nix copy", 2), ("nix-store --add", 1)] {
                #expect(first.count { $0 == call } == count, "\(call): \(first)")
            }
            try fixture.write(profiles, version: "2")
            expect(try await calls.deploy([fixture.flake]), is: .done)
            #expect(try calls.taken() == ["nix eval", "nix build", "nix copy"])
            #expect(try await node.generations(Node.appProfile("hello")) == [1, 2])
        }
    }

    @Test func aDeadNodeHoldsUpNobody() async throws {
        try await Lab.with { lab in
            try await lab.tool("up", "web1", "web2")
            // Silent until its cable is back: then it refuses, so that nothing here depends on who is faster.
            try await lab.tool("sshd-stop", "web1")
            try await lab.tool("cut", "web1")
            let fixture = try Fixture(in: lab)
            try fixture.write(deploy: Self.deploy(["web1": "(base \"a\")", "web2": "(base \"b\")"]))
            let node = Node(lab: lab, name: "web2")
            // With the barrier web2 gets all it needs meanwhile, and is not activated.
            let words = ["--parallel", "1", "--ssh-opts", "-o ConnectTimeout=100", fixture.flake]
            let run = try lab.start(words)
            try await node.waits(for: "ls -d /nix/store/*-activatable-b >/dev/null 2>&1")
            #expect(!run.text.contains("web1: error"))
            try await lab.tool("heal", "web1")
            let error = "web1: error: preflight failed"
            try await expect(run, endsAs: .unreachable, says: error, "nothing was activated")
            expect(run.text, hasRow: "web1 system as before not ready")
            expect(run.text, hasRow: "web2 system as before not started")
            #expect(try await node.generations() == [])
            // Without it, it is deployed before anybody knows about web1.
            try await lab.tool("cut", "web1")
            let each = try lab.start(["--no-barrier"] + words)
            try await each.says("web2: info: profile \"system\": deployed and confirmed on generation 1")
            #expect(!each.text.contains("web1: error"))
            try await lab.tool("heal", "web1")
            try await expect(each, endsAs: .unreachable, says: error)
            expect(each.text, hasRow: "web1 system as before not ready")
            expect(each.text, hasRow: "web2 system none -> 1 deployed")
            #expect(!each.text.contains("taking it back"))
        }
    }

    /// Nix stops at the first failure then: what it has not begun by that time is nobody's fault.
    @Test func aFailedBuildIsThatOfTheProfilesThatNeedIt() async throws {
        try await Lab.with { lab in
            try await lab.tool("up", "web1", "web2")
            let bad = #"(derivation { inherit system; name = "bad"; builder = "/bin/sh"; args = [ "-c" "exit 1" ]; })"#
            let good =
                #"(derivation { inherit system; name = "good"; builder = "/bin/sh"; PATH = "/bin:/usr/bin"; "#
                + #"args = [ "-c" "sleep 600" ]; })"#
            let fixture = try Fixture(in: lab)
            try fixture.write(deploy: Self.deploy(["web1": good, "web2": bad]))
            let result = try await lab.deploy([fixture.flake, "--", "--max-jobs", "2"])
            expect(result, is: .failed, says: "deploy: error: web2.system could not be built", "nothing was activated")
            for node in ["web1", "web2"] { expect(result.errorText, hasRow: "\(node) system as before not started") }
        }
    }

    @Test func withoutTheBarrierAFailedBuildConcernsItsNodesOnly() async throws {
        try await Lab.with { lab in
            try await lab.tool("up", "web1", "web2")
            let bad = #"(derivation { inherit system; name = "bad"; builder = "/bin/sh"; args = [ "-c" "exit 1" ]; })"#
            let fixture = try Fixture(in: lab)
            try fixture.write(deploy: Self.deploy(["web1": bad, "web2": "(base \"b\")"]))
            let result = try await lab.deploy(["--no-barrier", fixture.flake])
            expect(result, is: .failed, says: "web1.system could not be built")
            expect(result.errorText, hasRow: "web2 system none -> 1 deployed")
            #expect(try await Node(lab: lab, name: "web1").generations() == [])
        }
    }

    /// One profile `system` a node, which leaves its node's name.
    private static func deploy(_ bases: [String: String]) -> String {
        let nodes = bases.map { name, base in
            "\(name) = { hostname = \"\(name)\"; sshUser = \"root\"; profiles.system = { user = \"root\"; "
                + "path = activate.custom \(base) \(nixString(Script.mark(name))); }; };"
        }
        return "{ nodes = { \(nodes.joined(separator: "\n")) }; }"
    }
}
