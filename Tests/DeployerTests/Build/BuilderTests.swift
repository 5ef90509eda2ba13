import Foundation
import Shared
import Testing

@testable import Deployer

@Suite(.serialized, .timeLimit(.minutes(10)), .enabled(if: ScratchNix.isInstalled, "nix is not installed"))
struct BuilderTests {
    let scratch: ScratchNix

    init() throws { scratch = try ScratchNix() }

    /// The plan for profiles of node `a`, as a flake or as a file.
    private func plan(_ profiles: String, asFile: Bool = false, extra: [String] = []) async throws -> (Plan, Source) {
        let outputs = "{ deploy.nodes.a = { hostname = \"h\"; sshUser = \"root\"; profiles = \(profiles); }; }"
        let source: Source
        if asFile {
            source = .file(try scratch.write("let \(ScratchNix.make) in \(outputs)", to: "file.nix"))
        } else {
            source = .flake(try scratch.flake(outputs))
        }
        let evaluation = try await Evaluator(nix: scratch.nix(), extraArguments: extra)
            .evaluate(EvaluationRequest(source: source, nodes: .all))
        return (try PlanMaker(localUser: "me").plan([evaluation]), source)
    }

    private func builder(_ extra: [String] = [], _ log: LineLog = LineLog()) async throws -> Builder {
        Builder(
            nix: try await scratch.nix(), extraArguments: extra,
            onLine: { if $0.weight == .shown || $0.weight == .failure { log.add($0.text) } })
    }

    @Test(arguments: [false, true])
    func allClosuresAreBuiltInOneGo(asFile: Bool) async throws {
        let (plan, source) = try await plan(
            """
            { one.path = closure "one"; two.path = "${closure "two"}"; three.path = "${
                make "deep" "mkdir -p $out/sub; ${"cp -r"} ${closure "base"}/* $out/sub"}/sub"; }
            """, asFile: asFile)
        #expect(plan.profiles.allSatisfy { !exists($0.path) })
        try await builder().build(plan, from: [source])
        #expect(plan.profiles.allSatisfy { exists("\($0.path)/deploy-rs-activate") })
    }

    @Test func whatNodesBuildThemselvesIsNotBuiltHere() async throws {
        let (plan, source) = try await plan(
            "{ one = { remoteBuild = true; path = closure \"one\"; }; two.path = closure \"two\"; }")
        try await builder().build(plan, from: [source])
        #expect(plan.profiles.map { exists($0.path) } == [false, true])
    }

    @Test(arguments: [false, true])
    func aFailedBuildNamesTheProfilesThatNeededIt(asFile: Bool) async throws {
        let (plan, source) = try await plan(
            """
            { good.path = closure "good"; bad.path = make "bad" "echo the reason >&2; exit 3";
              needs.path = make "needs" ": ${make "bad" "echo the reason >&2; exit 3"}"; }
            """, asFile: asFile)
        let log = LineLog()
        let error = await #expect(throws: BuildError.self) { try await builder([], log).build(plan, from: [source]) }
        guard case .buildFailed(let labels, let failure)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(labels.sorted() == ["a.bad", "a.needs"])
        #expect(failure.lastLines.contains { $0.contains("the reason") })
        #expect(log.all.contains { $0.contains("the reason") })
    }

    @Test func aClosureWithoutActivationIsRefused() async throws {
        let (plan, source) = try await plan(
            "{ p.path = make \"x\" \"mkdir -p $out/bin; touch $out/home-path\"; }")
        let error = await #expect(throws: BuildError.self) { try await builder().build(plan, from: [source]) }
        #expect(error == .notActivatable("a.p", path: plan.profiles[0].path, wrapper: "home-manager"))
        #expect(error?.hint?.contains("lib.<system>.activate.home-manager") == true)
    }

    @Test func aPlainSystemNeedsNoWrapper() async throws {
        let (plan, source) = try await plan(
            "{ p.path = make \"x\" \"mkdir -p $out/bin; cp /bin/sh $out/bin/switch-to-configuration\"; }")
        try await builder().build(plan, from: [source])
    }

    @Test func aPlainPathIsFetchedOrRefused() async throws {
        let store = "\(scratch.folder)/store"
        let path = "\(store)/\(String(repeating: "a", count: 32))-gone"
        let (missing, source) = try await plan("{ p.path = \"\(path)\"; }")
        let error = await #expect(throws: BuildError.self) { try await builder().build(missing, from: [source]) }
        guard case .notRealised(let labels, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(labels == ["a.p"])
        let folder = try scratch.write("x", to: "plain/deploy-rs-activate")
        chmod(folder, 0o755)
        let added = try await scratch.nix().run(["nix-store", "--add", "\(scratch.folder)/plain"])
        let (present, _) = try await plan("{ p.path = \"\(trimmed(added.text))\"; }")
        try await builder().build(present, from: [source])
    }

    @Test func keptResultsAreRootsOfTheirOwn() async throws {
        let (plan, source) = try await plan("{ one.path = closure \"one\"; two.path = closure \"two\"; }")
        var extras = Builder.Extras()
        extras.resultPath = "\(scratch.folder)/kept"
        try await builder().build(plan, from: [source], extras)
        for profile in plan.profiles {
            let link = "\(scratch.folder)/kept/a/\(profile.name)"
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == profile.path)
        }
        _ = try await scratch.nix().run(["nix-store", "--gc"])
        #expect(plan.profiles.allSatisfy { exists($0.path) })
    }

    @Test func aNameThatWouldLeaveTheFolderIsRefused() async throws {
        var (plan, source) = try await plan("{ one.path = closure \"one\"; }")
        plan.nodes[0].profiles[0].node = NodeName("..")
        var extras = Builder.Extras()
        extras.resultPath = "\(scratch.folder)/kept"
        await #expect(throws: BuildError.badLinkName("...one")) {
            try await builder().build(plan, from: [source], extras)
        }
    }

    @Test func closuresAreSigned() async throws {
        let nix = try await scratch.nix()
        let key = "\(scratch.folder)/key"
        _ = try await nix.run(["nix-store", "--generate-binary-cache-key", "test-1", key, "\(key).pub"])
        let (plan, source) = try await plan("{ one.path = closure \"one\"; two.path = closure \"two\"; }")
        var extras = Builder.Extras()
        extras.signingKey = key
        try await builder().build(plan, from: [source], extras)
        for profile in plan.profiles {
            #expect(try await nix.run(["nix", "path-info", "--sigs", profile.path]).text.contains("test-1:"))
        }
        extras.signingKey = "/no/such/key"
        let error = await #expect(throws: BuildError.self) {
            try await builder().build(plan, from: [source], extras)
        }
        #expect(
            error?.description.hasPrefix("signing with LOCAL_KEY=/no/such/key failed: nix store sign ended") == true)
    }

    @Test func checksOfAFlakeRunWithTheArguments() async throws {
        let flake = try scratch.flake(
            "{ checks.\(ScratchNix.system).x = make \"x\" (if builtins ? currentSystem then \"echo > $out\" else \"exit 1\"); }"
        )
        try await builder(["--impure"]).check(.flake(flake))
        let error = await #expect(throws: BuildError.self) { try await builder().check(.flake(flake)) }
        guard case .checksFailed(.flake(flake), let failure)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(failure.description.hasPrefix("nix flake check ended with exit status"))
    }

    @Test func checksOfAFileRunWithTheArguments() async throws {
        let text =
            "{ ok ? true }: let \(ScratchNix.make) in "
            + "{ checks.\(ScratchNix.system).x = make \"x\" (if ok then \"echo > $out\" else \"exit 1\"); }"
        let path = try scratch.write(text, to: "checked.nix")
        try await builder().check(.file(path))
        await #expect(throws: BuildError.self) { try await builder(["--arg", "ok", "false"]).check(.file(path)) }
        try await builder().check(.file(try scratch.write("{ }", to: "unchecked.nix")))
    }

    @Test func argumentsReachTheBuild() async throws {
        let (plan, source) = try await plan("{ one.path = closure \"one\"; }")
        let error = await #expect(throws: BuildError.self) {
            try await builder(["--no-such-option"]).build(plan, from: [source])
        }
        #expect(error?.description.contains("no-such-option") == true)
        try await builder(["--override-input", "x", "path:/tmp"]).build(plan, from: [source])
    }
}
