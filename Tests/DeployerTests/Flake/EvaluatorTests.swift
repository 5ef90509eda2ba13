import Synchronization
import Testing

@testable import Deployer

@Suite(.serialized, .timeLimit(.minutes(10)), .enabled(if: ScratchNix.isInstalled, "nix is not installed"))
struct EvaluatorTests {
    let scratch: ScratchNix

    init() throws { scratch = try ScratchNix() }

    private func evaluate(
        _ reference: String, _ fragments: String..., extra: [String] = []
    ) async throws -> Evaluation {
        let targets = try fragments.isEmpty ? [Target(reference)] : fragments.map { try Target("\(reference)#\($0)") }
        let request = try #require(EvaluationRequest.grouping(targets).first)
        return try await Evaluator(nix: scratch.nix(), extraArguments: extra).evaluate(request)
    }

    @Test func settingsPathsAndDerivationsComeBack() async throws {
        let flake = try scratch.flake(
            """
            { deploy = {
                sshUser = "root"; sshOpts = [ "-p" "22" ]; confirmTimeout = 0; magicRollback = false;
                nodes.web1 = {
                  hostname = "h"; profilesOrder = [ "b" ]; user = null;
                  profiles = {
                    a = { path = closure "one"; profilePath = "/p"; activationTimeout = 65535; };
                    b.path = "${closure "two"}/sub";
                    c.path = "/nix/store/plain";
                    d.path = ./flake.nix;
                  };
                };
            }; }
            """)
        let deployment = try await evaluate(flake).deployment
        let store = scratch.folder + "/store/"
        #expect(deployment.settings.sshOpts == ["-p", "22"])
        #expect(deployment.settings.confirmTimeout == 0)
        #expect(deployment.settings.magicRollback == false)
        let node = try #require(deployment.nodes[NodeName("web1")])
        #expect(node.hostname == "h")
        #expect(node.settings.user == nil)
        #expect(node.profilesOrder == [ProfileName("b")])
        let a = try #require(node.profiles[ProfileName("a")])
        #expect(a.path.hasPrefix(store) && a.path.hasSuffix("-one"))
        #expect(a.derivations.map(\.outputs) == [["out"]])
        #expect(a.derivations.allSatisfy { exists($0.path) && $0.path.hasSuffix("-one.drv") })
        #expect(a.profilePath == "/p")
        #expect(a.settings.activationTimeout == 65535)
        let b = try #require(node.profiles[ProfileName("b")])
        #expect(b.path.hasSuffix("-two/sub"))
        #expect(b.derivations.count == 1)
        #expect(node.profiles[ProfileName("c")]?.path == "/nix/store/plain")
        #expect(node.profiles[ProfileName("c")]?.derivations == [])
        #expect(node.profiles[ProfileName("d")]?.path.hasSuffix("flake.nix") == true)
        #expect(node.profiles[ProfileName("d")]?.derivations == [])
    }

    @Test func theEvaluationTellsTheVersionOfItsNix() async throws {
        let flake = try scratch.flake("{ deploy.nodes = { }; }")
        let version = try await Nix.installedVersion()
        #expect(try await evaluate(flake).nixVersion == version)
    }

    @Test func whatWasNotAskedForDoesNoHarm() async throws {
        let flake = try scratch.flake(
            """
            { deploy = {
                future = throw "unknown attributes are not forced";
                nodes = {
                  bad = throw "bad node";
                  good = { hostname = "h"; meta = throw "no"; profiles = { bad = throw "bad profile"; good.path = "/p"; }; };
                };
            }; }
            """)
        let evaluation = try await evaluate(flake, "good.good")
        #expect(evaluation.deployment.nodeNames == [NodeName("bad"), NodeName("good")])
        #expect(evaluation.deployment.nodes.count == 1)
        #expect(evaluation.deployment.nodes[NodeName("good")]?.profiles.count == 1)
        #expect(evaluation.warnings.map(\.path) == [["deploy", "future"], ["deploy", "nodes", "good", "meta"]])
        let error = await #expect(throws: EvaluationError.self) { try await evaluate(flake, "good") }
        #expect(error?.description.contains("bad profile") == true)
    }

    @Test func settingsComeBeforeAnyClosureIsEvaluated() async throws {
        let flake = try scratch.flake(
            """
            { deploy = { sshUser = "me"; nodes = builtins.mapAttrs (name: profiles: { hostname = name; inherit profiles; }) {
                a = { p.path = throw "the first closure"; q = { user = "x"; path = "/q"; }; }; b = { p.path = "/b"; };
                c = throw "no"; }; }; }
            """)
        let found = Mutex<[Deployment]>([])
        let lines = LineLog()
        var evaluator = Evaluator(nix: try await scratch.nix(), onLine: { lines.add($0.text) })
        evaluator.onNode = { node in found.withLock { $0.append(node) } }
        let targets = try [Target("\(flake)#a"), Target("\(flake)#b")]
        let request = try #require(EvaluationRequest.grouping(targets).first)
        let error = await #expect(throws: EvaluationError.self) { try await evaluator.evaluate(request) }
        #expect(error?.description.contains("the first closure") == true)
        #expect(error?.description.contains("deploy-swift ") == false)
        #expect(!lines.all.contains { $0.contains("hostname") })
        let nodes = found.withLock { $0 }
        #expect(nodes.map { $0.nodes.keys.map(\.text) } == [["a"], ["b"]])
        #expect(nodes.allSatisfy { $0.settings.sshUser == "me" })
        let q = nodes.first?.nodes[NodeName("a")]?.profiles[ProfileName("q")]
        #expect(q?.settings.user == "x" && q?.path == ProfileDefinition.unknownPath)
    }

    @Test(
        arguments: [
            (
                #"sshUser = "me"; nodes.a.profiles = { p.path = "/p"; q.path = throw "no"; r.path = "/r"; };"#,
                "nodes.a.profiles.q"
            ),
            (#"nodes.a.profiles = { p = { path = "/p"; user = throw "no"; }; q.path = "/q"; };"#, "nodes.a.profiles.p"),
            (#"nodes = { a.profiles.p = throw "no"; b = { }; };"#, "nodes.a.profiles.p"),
            (
                #"nodes = { a.profiles.p.path = "/p"; "b.c" = { profiles = { }; hostname = throw "no"; }; };"#,
                #"nodes."b.c""#
            ),
            (#"nodes = { a.profiles.p.path = "/p"; b = throw "no"; };"#, "nodes.b"),
            (#"sshOpts = throw "no"; nodes.a.profiles.p.path = "/p";"#, nil),
        ] as [(String, String?)])
    func whereAnEvaluationFailedIsNamed(deploy: String, place: String?) async throws {
        let flake = try scratch.flake("{ deploy = { \(deploy) }; }")
        let error = await #expect(throws: EvaluationError.self) { try await evaluate(flake) }
        let expected = "\(flake) could not be evaluated, at deploy\(place.map { ".\($0)" } ?? ""): nix eval ended with"
        #expect(error?.description.hasPrefix(expected) == true, "\(error as Any)")
    }

    /// What is read while a flake is evaluated has to be built there and then.
    @Test func anEvaluationCountsItsNodesAndWhatNixBuildsForIt() async throws {
        let flake = try scratch.flake(
            """
            { deploy.nodes = builtins.mapAttrs (name: path: { hostname = name; profiles.p = { inherit path; }; }) {
                a = "/a"; b = builtins.readFile (make "early" "echo -n /b >$out"); c = "/c"; }; }
            """)
        let counts = Mutex(BuildCounts())
        let lines = LineLog()
        var evaluator = Evaluator(nix: try await scratch.nix(), onLine: { lines.add($0.text) })
        evaluator.onNode = { _ in }
        evaluator.onCounts = { latest in counts.withLock { $0 = latest } }
        let evaluation = try await evaluator.evaluate(EvaluationRequest(source: .flake(flake), nodes: .all))
        #expect(evaluation.deployment.nodes.count == 3)
        #expect(counts.withLock { $0.nodes } == .init(done: 3, expected: 3))
        #expect(counts.withLock { $0.builds } == .init(done: 1, expected: 1))
        #expect(lines.all.contains { $0.hasPrefix("building '") && $0.contains("-early.drv'") })
        #expect(!lines.all.contains { $0.contains("deploy-swift ") })
    }

    @Test func severalTargetsAreOneAnswer() async throws {
        let flake = try scratch.flake(
            """
            { deploy.nodes = builtins.mapAttrs (name: profiles: { hostname = name; inherit profiles; }) {
                a = { p.path = "/a/p"; q.path = "/a/q"; r = throw "no"; }; b = { p.path = "/b/p"; }; c = throw "no"; }; }
            """)
        let nodes = try await evaluate(flake, "a.p", "a.q", "b").deployment.nodes
        #expect(
            nodes.mapValues { $0.profiles.mapValues(\.path) } == [
                NodeName("a"): [ProfileName("p"): "/a/p", ProfileName("q"): "/a/q"],
                NodeName("b"): [ProfileName("p"): "/b/p"],
            ])
    }

    @Test(arguments: [#"we"ird${x}"#, "my.server", "ünï 🚀", "a'b", "$${x}", #"\n"#, "or", "a\nb"])
    func anyNameIsFound(name: String) async throws {
        let text = NixText.string(name)
        let flake = try scratch.flake(
            "{ deploy.nodes.\(text) = { hostname = \"h\"; profiles.\(text).path = \"/p\"; }; }")
        let evaluation = try await evaluate(flake, "\(text).\(text)")
        #expect(evaluation.deployment.nodes[NodeName(name)]?.profiles[ProfileName(name)]?.path == "/p")
    }

    private func problems(_ flake: String) async throws -> [AttributeProblem] {
        let error = await #expect(throws: EvaluationError.self) { try await evaluate(flake) }
        guard case .wrongAttributes(_, let problems, _)? = error else {
            Issue.record("\(String(describing: error))")
            return []
        }
        return problems
    }

    @Test func whatIsUnknownIsNamedWithWhatIsWrong() async throws {
        let flake = try scratch.flake("{ deploy.web1 = { hostname = \"h\"; }; }")
        let error = await #expect(throws: EvaluationError.self) { try await evaluate(flake) }
        let text = error?.description ?? ""
        #expect(text.contains("deploy.nodes: expected an attribute set, found nothing"), "\(text)")
        #expect(text.contains("deploy.web1 is not an attribute that deploy knows"), "\(text)")
    }

    @Test func wrongTypesAreNamedWithTheirPathsAllAtOnce() async throws {
        let flake = try scratch.flake(
            """
            { deploy = {
                sshUser = 1; sshOpts = "-p 22"; magicRollback = "true"; confirmTimeout = 65536; sudo = x: x;
                nodes = {
                  "my.server" = {
                    hostname = { a = throw "not forced"; }; profilesOrder = [ "a" 1 ];
                    profiles = {
                      a = { path = 7; confirmTimeout = "30"; activationTimeout = 1.0; tempPath = /tmp; };
                      b = "x"; c = { };
                    };
                  };
                  n = [ ]; o = { hostname = "o"; }; p = { profiles = 1; };
                };
            }; }
            """)
        let problems = try await problems(flake)
        let server = #"deploy.nodes."my.server""#
        let seconds = "expected an integer from 0 to 65535"
        #expect(
            Set(problems.map(\.description)) == [
                "deploy.sshUser: expected a string, found the integer 1",
                "deploy.sudo: expected a string, found a function",
                #"deploy.sshOpts: expected a list of strings, found the string "-p 22""#,
                #"deploy.magicRollback: expected true or false, found the string "true""#,
                "deploy.confirmTimeout: \(seconds), found the integer 65536",
                "\(server).hostname: expected a string, found an attribute set",
                "\(server).profilesOrder: expected a list of strings, found a list with the integer 1",
                "\(server).profiles.a.path: expected a derivation or a path, found an integer",
                #"\#(server).profiles.a.confirmTimeout: \#(seconds), found the string "30""#,
                "\(server).profiles.a.activationTimeout: \(seconds), found a float",
                "\(server).profiles.a.tempPath: expected a string, found a path",
                "\(server).profiles.b: expected an attribute set, found a string",
                "\(server).profiles.c.path: expected a derivation or a path, found nothing",
                "deploy.nodes.n: expected an attribute set, found a list",
                "deploy.nodes.p.profiles: expected an attribute set, found an integer",
            ])
    }

    @Test func hugeNegativeAndNullNumbersAreHandled() async throws {
        let flake = try scratch.flake(
            """
            { deploy = { confirmTimeout = 9223372036854775807; activationTimeout = -1; tempPath = null; sshOpts = null;
                nodes = { }; }; }
            """)
        let problems = try await problems(flake)
        #expect(problems.map(\.found) == ["the integer 9223372036854775807", "the integer -1"])
    }

    @Test func unknownNodesAndProfilesAreNamed() async throws {
        let flake = try scratch.flake(
            "{ deploy.nodes.web1 = { hostname = \"h\"; profiles = { root.path = \"/p\"; home.path = \"/p\"; }; }; }")
        let profile = await #expect(throws: EvaluationError.self) { try await evaluate(flake, "web1.system") }
        #expect(profile == .unknownProfile(node: "web1", "system", known: ["home", "root"]))
        #expect(profile?.description == #"node "web1" has no profile "system""#)
        #expect(profile?.hint == #"it has "home" and "root""#)
        let node = await #expect(throws: EvaluationError.self) { try await evaluate(flake, "web2") }
        #expect(node == .unknownNode("web2", known: ["web1"]))
    }

    @Test func aMistypedAttributeIsAWarningWithTheNearestName() async throws {
        let flake = try scratch.flake(
            """
            { deploy = { magicRolback = true;
                nodes.a = { hostname = "h"; hostName = "x"; profiles.p = { path = "/p"; profilepath = "/x"; }; }; }; }
            """)
        let warnings = try await evaluate(flake).warnings
        #expect(
            warnings == [
                UnknownAttribute(path: ["deploy", "magicRolback"], nearest: "magicRollback"),
                UnknownAttribute(path: ["deploy", "nodes", "a", "hostName"], nearest: "hostname"),
                UnknownAttribute(
                    path: ["deploy", "nodes", "a", "profiles", "p", "profilepath"], nearest: "profilePath"),
            ])
    }

    @Test func anAttributeOfManyNodesIsOneWarning() async throws {
        let flake = try scratch.flake(
            "{ deploy.nodes = builtins.listToAttrs (map (name: "
                + "{ inherit name; value = { hostname = name; tags = [ ]; }; }) "
                + "[ \"a\" \"b\" \"c\" ]); }")
        let evaluation = try await evaluate(flake)
        #expect(evaluation.deployment.nodes.count == 3)
        #expect(evaluation.warnings == [UnknownAttribute(path: ["deploy", "nodes", "a", "tags"], others: 2)])
    }

    @Test func nixsOwnMessageStandsInTheError() async throws {
        try scratch.write("{ outputs = { self }: { deploy = ; }; }", to: "broken/flake.nix")
        let log = LineLog()
        var evaluator = Evaluator(nix: try await scratch.nix())
        evaluator.onLine = { log.add($0.text) }
        let request = EvaluationRequest(source: .flake("path:\(scratch.folder)/broken"), nodes: .all)
        let error = await #expect(throws: EvaluationError.self) { try await evaluator.evaluate(request) }
        #expect(error?.description.contains("syntax error") == true)
        #expect(log.all.contains { $0.contains("syntax error") })
        let none = try scratch.flake("{ }")
        let missing = await #expect(throws: EvaluationError.self) { try await evaluate(none) }
        #expect(missing?.description.contains("does not provide attribute") == true)
    }

    @Test func aPackageNamedDeployIsSeenThrough() async throws {
        let flake = try scratch.flake(
            """
            { packages.${"\(ScratchNix.system)"}.deploy = make "deploy" "";
              deploy.nodes.a = { hostname = "h"; profiles.p.path = "/p"; }; }
            """)
        do {
            #expect(try await evaluate(flake).deployment.nodes.count == 1)
        } catch EvaluationError.hidden(.flake(flake)) {
            // 2.8 does not know the leading dot yet.
            #expect(try await scratch.nix().version < NixVersion(2, 26))
        }
    }

    @Test func aDeployAttributeWithoutNodesIsNamed() async throws {
        let found = try await problems(try scratch.flake("{ deploy = { sshUser = \"root\"; }; }"))
        #expect(found.map(\.description) == ["deploy.nodes: expected an attribute set, found nothing"])
        let wrong = try await problems(try scratch.flake("{ deploy = x: x; }"))
        #expect(wrong.map(\.description) == ["deploy: expected an attribute set, found a function"])
    }

    @Test func aMissingNixIsNamed() async {
        await #expect(throws: NixError.notInstalled(program: "nix")) {
            try await Nix.detect(environment: ["PATH": "/nonexistent"])
        }
    }

    @Test func extraArgumentsReachTheEvaluation() async throws {
        try scratch.write("{ outputs = { self }: { name = \"first\"; }; }", to: "one/flake.nix")
        try scratch.write("{ outputs = { self }: { name = \"second\"; }; }", to: "two/flake.nix")
        let flake = try scratch.flake(
            "{ deploy.nodes.a = { hostname = inputs.other.name; profiles.p.path = \"/p\"; }; }",
            inputs: "inputs.other.url = \"path:\(scratch.folder)/one\";"
        )
        #expect(try await evaluate(flake).deployment.nodes[NodeName("a")]?.hostname == "first")
        let extra = ["--override-input", "other", "path:\(scratch.folder)/two"]
        #expect(try await evaluate(flake, extra: extra).deployment.nodes[NodeName("a")]?.hostname == "second")
    }

    @Test func anAnswerBeyondTheLimitIsRefused() async throws {
        let flake = try scratch.flake(
            "{ deploy.nodes.a = { hostname = builtins.concatStringsSep \"\" (builtins.genList (_: \"xxxxxxxx\") 9999); "
                + "profiles = { }; }; }")
        let evaluator = Evaluator(nix: try await scratch.nix(), outputLimit: 1 << 10)
        await #expect(throws: EvaluationError.tooLarge(.flake(flake), limit: 1 << 10)) {
            try await evaluator.evaluate(EvaluationRequest(source: .flake(flake), nodes: .all))
        }
    }
}
