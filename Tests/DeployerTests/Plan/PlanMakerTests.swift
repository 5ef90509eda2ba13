import Shared
import Testing

@testable import Deployer

struct PlanMakerTests {
    private func definition(_ settings: Settings = Settings(), profilePath: String? = nil) -> ProfileDefinition {
        ProfileDefinition(settings: settings, path: "/nix/store/x", profilePath: profilePath, derivations: [])
    }

    private func node(
        _ profiles: [String: ProfileDefinition], _ settings: Settings = Settings(), hostname: String? = "host",
        order: [String] = []
    ) -> NodeDefinition {
        NodeDefinition(
            settings: settings,
            hostname: hostname,
            profilesOrder: order.map(ProfileName.init),
            profiles: Dictionary(uniqueKeysWithValues: profiles.map { (ProfileName($0), $1) }),
            profileNames: profiles.keys.sorted().map(ProfileName.init)
        )
    }

    private func evaluation(
        _ nodes: [String: NodeDefinition], _ settings: Settings = Settings(user: "root"), source: String = ".",
        asked: EvaluationRequest.Nodes = .all
    ) -> Evaluation {
        let deployment = Deployment(
            settings: settings,
            nodes: Dictionary(uniqueKeysWithValues: nodes.map { (NodeName($0), $1) }),
            nodeNames: nodes.keys.sorted().map(NodeName.init)
        )
        return Evaluation(
            request: EvaluationRequest(source: .flake(source), nodes: asked), deployment: deployment, warnings: [])
    }

    private func profile(
        _ settings: Settings, _ overrides: Overrides = Overrides(), name: String = "system", profilePath: String? = nil
    ) throws -> PlannedProfile {
        let maker = PlanMaker(overrides: overrides, localUser: "me")
        let evaluation = evaluation(["web1": node([name: definition(settings, profilePath: profilePath)])], Settings())
        return try #require(try maker.plan([evaluation]).profiles.first)
    }

    @Test func defaultsAreDeployRss() throws {
        let planned = try profile(Settings(user: "root"))
        let expected = PlannedProfile(
            node: NodeName("web1"), name: ProfileName("system"), path: "/nix/store/x", derivations: [],
            destination: Destination(host: "host", user: "me", options: []), user: "root",
            location: .named(user: "root", name: "system"), elevation: ["sudo", "-u", "root"], interactiveSudo: false,
            fastConnection: false, autoRollback: true, magicRollback: true, remoteBuild: false, tempPath: nil,
            confirmTimeout: 30, activationTimeout: nil
        )
        #expect(planned == expected)
    }

    @Test func theInnermostLevelWinsAndSSHOptionsAdd() throws {
        let inner = Settings(sshUser: "p", sshOpts: ["1", "2"], magicRollback: false, confirmTimeout: 1)
        let middle = Settings(sshUser: "n", user: "nu", sshOpts: ["3"], magicRollback: true, activationTimeout: 2)
        let outer = Settings(
            sshUser: "d", user: "du", sudo: "doas -u", sshOpts: ["4"], fastConnection: true, autoRollback: false,
            tempPath: "/t", remoteBuild: true, confirmTimeout: 9, activationTimeout: 9)
        let planned = try #require(
            try PlanMaker(localUser: "me").plan([evaluation(["a": node(["p": definition(inner)], middle)], outer)])
                .profiles.first)
        #expect(planned.destination == Destination(host: "host", user: "p", options: ["1", "2", "3", "4"]))
        #expect(planned.user == "nu")
        #expect(planned.elevation == ["doas", "-u", "nu"])
        #expect(!planned.magicRollback && planned.fastConnection && !planned.autoRollback && planned.remoteBuild)
        #expect(planned.tempPath == "/t")
        #expect(planned.confirmTimeout == 1)
        #expect(planned.activationTimeout == 2)
    }

    @Test func everyOverrideTakesEffect() throws {
        let settings = Settings(
            sshUser: "s", user: "u", sudo: "sudo -u", interactiveSudo: true, sshOpts: ["1"], fastConnection: true,
            autoRollback: true, magicRollback: true, tempPath: "/a", remoteBuild: false, confirmTimeout: 1,
            activationTimeout: 1)
        let overrides = Overrides(
            sshUser: "S", profileUser: "U", sshOpts: ["2"], fastConnection: false, autoRollback: false,
            hostnames: ["H"],
            magicRollback: false, confirmTimeout: 2, activationTimeout: 3, tempPath: "/b", remoteBuild: true,
            sudo: ["run0", "--user"], interactiveSudo: false)
        let expected = PlannedProfile(
            node: NodeName("web1"), name: ProfileName("system"), path: "/nix/store/x", derivations: [],
            destination: Destination(host: "H", user: "S", options: ["2"]), user: "U",
            location: .named(user: "U", name: "system"), elevation: ["run0", "--user", "U"],
            rootElevation: ["run0", "--user", "root"], interactiveSudo: false,
            fastConnection: false, autoRollback: false, magicRollback: false, remoteBuild: true, tempPath: "/b",
            confirmTimeout: 2, activationTimeout: 3)
        #expect(try profile(settings, overrides) == expected)
    }

    @Test(
        arguments: [
            (Settings(sshUser: "a"), "a", "a", []), (Settings(user: "b"), "me", "b", ["sudo", "-u", "b"]),
            (Settings(sshUser: "a", user: "a"), "a", "a", []), (Settings(user: "me"), "me", "me", []),
            (Settings(sshUser: "a", user: "b", sudo: "'my sudo' -u"), "a", "b", ["my sudo", "-u", "b"]),
        ] as [(Settings, String, String, [String])])
    func usersAreResolved(settings: Settings, sshUser: String, user: String, elevation: [String]) throws {
        let planned = try profile(settings)
        #expect(planned.destination.user == sshUser)
        #expect(planned.user == user)
        #expect(planned.elevation == elevation)
    }

    @Test(
        arguments: [
            (nil, false, nil), ("local", false, nil), ("target", true, nil), ("big", true, "me@big"),
            ("me@big", true, "me@big"), ("b@fd00::1", true, "b@fd00::1"),
        ] as [(String?, Bool, String?)])
    func aBuildPlaceIsHereTheNodeOrAThirdMachine(text: String?, isRemote: Bool, host: String?) throws {
        let planned = try profile(Settings(user: "root", buildOn: text))
        #expect(planned.remoteBuild == isRemote)
        #expect(planned.buildHost?.description == host)
        let forced = try profile(Settings(user: "root", buildOn: text), Overrides(remoteBuild: true))
        #expect(forced.remoteBuild && forced.buildHost == nil)
    }

    @Test(arguments: ["", "-x", "a b", "u@", "@h", "u@-h"])
    func aPlaceThatSSHWouldMisreadIsRefused(text: String) {
        #expect(throws: PlanError.self) { try profile(Settings(user: "root", buildOn: text)) }
    }

    @Test func anAgentNamedOnTheCommandLineIsTaken() throws {
        #expect(try profile(Settings(user: "root", agentPath: "/a")).agentPath == "/a")
        #expect(try profile(Settings(user: "root", agentPath: "/a"), Overrides(choosesAgent: true)).agentPath == nil)
        #expect(throws: PlanError.self) { try profile(Settings(user: "root", agentPath: "a")) }
    }

    @Test func healthIsAskedForAsTheFlakeSays() throws {
        let both = Settings(user: "root", healthCheck: ["a", "", "b"])
        #expect(try profile(both).healthCheck == HealthCheck(["a", "b"]))
        #expect(try profile(Settings(user: "root", healthCheck: [""], healthTimeout: 5)).healthCheck == nil)
        let settings = Settings(user: "root", healthCheck: ["a"], healthTimeout: 5, probe: "b")
        #expect(try profile(settings).healthCheck == HealthCheck(["a"], timeout: 5))
        #expect(try profile(settings).probe == "b")
        #expect(try profile(settings, Overrides(healthTimeout: 6)).healthCheck?.timeout == 6)
        let skipped = try profile(settings, Overrides(magicRollback: false, skipsHealthChecks: true))
        #expect(skipped.healthCheck == nil && skipped.probe == nil)
        #expect(try profile(Settings(user: "root", criticalUnits: ["ssh", "a@b.service"])).criticalUnits.count == 2)
        let inner = Settings(healthCheck: [], probe: "").merging(outer: settings)
        #expect(try profile(inner).healthCheck == nil && profile(inner).probe == nil)
        for wrong in [
            Settings(user: "root", healthCheck: ["a\0"]), Settings(user: "root", probe: "a\0"),
            Settings(user: "root", healthCheck: Array(repeating: "aaaaaaaa", count: 2049)),
            Settings(user: "root", magicRollback: false, probe: "b"),
            Settings(user: "root", criticalUnits: ["-a"]), Settings(user: "root", criticalUnits: ["a b"]),
            Settings(user: "root", criticalUnits: ["a/b"]),
            Settings(user: "root", criticalUnits: Array(repeating: "a", count: 17)),
        ] {
            #expect(throws: PlanError.self) { try profile(wrong) }
        }
        #expect(throws: PlanError.self) { try profile(settings, Overrides(magicRollback: false)) }
    }

    @Test func onlyRootsProfilesMayRebootTheirNode() throws {
        #expect(try profile(Settings(user: "root", rebootIfStuck: true)).rebootIfStuck)
        let ofAll = Settings(user: "app", rebootIfStuck: true)
        let evaluation = evaluation(["web1": node(["app": definition(Settings())])], ofAll)
        #expect(try PlanMaker(localUser: "me").plan([evaluation]).profiles.map(\.rebootIfStuck) == [false])
        #expect(try !profile(Settings(user: "root")).rebootIfStuck)
        let inner = Settings(user: "root", rebootIfStuck: false).merging(outer: Settings(rebootIfStuck: true))
        #expect(try !profile(inner).rebootIfStuck)
    }

    @Test func everyHostNameIsAWay() throws {
        var several = node(["p": definition()])
        several.fallbacks = ["[fd00::1]", "other"]
        let planned = try PlanMaker(localUser: "me").plan([evaluation(["a": several])]).profiles[0]
        #expect(planned.destination.ways.map(\.host) == ["host", "[fd00::1]", "other"])
        let maker = PlanMaker(overrides: Overrides(hostnames: ["x", "y"]), localUser: "me")
        #expect(try maker.plan([evaluation(["a": several])]).profiles[0].destination.ways.map(\.host) == ["x", "y"])
        several.fallbacks = ["-oProxyCommand=x"]
        #expect(throws: PlanError.self) { try PlanMaker(localUser: "me").plan([evaluation(["a": several])]) }
    }

    /// The SSH user does not count where nobody logs in; a profile of that user's stays that user's.
    @Test(
        arguments: [
            (Settings(sshUser: "app"), "app", ["sudo", "-u", "app"]),
            (Settings(sshUser: "deploy", user: "root"), "root", ["sudo", "-u", "root"]),
            (Settings(sshUser: "root", user: "me"), "me", []), (Settings(), "me", []),
        ] as [(Settings, String, [String])])
    func thisMachineIsDeployedToAsWhoeverRunsIt(settings: Settings, user: String, elevation: [String]) throws {
        let planned = try profile(settings, Overrides(isLocal: true))
        #expect(planned.destination.isLocal && planned.destination.user == "me")
        #expect(planned.user == user)
        #expect(planned.elevation == elevation)
    }

    @Test func profilesComeInTheirOrderThenByName() throws {
        let profiles = Dictionary(uniqueKeysWithValues: ["d", "c", "b", "a"].map { ($0, definition()) })
        let nodes = ["z": node(profiles, order: ["c", "b", "c"]), "a": node(["p": definition()])]
        let plan = try PlanMaker(localUser: "me").plan([evaluation(nodes)])
        #expect(plan.profiles.map(\.label) == ["a.p", "z.c", "z.b", "z.a", "z.d"])
    }

    @Test func anUnknownNameInTheOrderIsAnErrorForWholeNodes() throws {
        let nodes = ["a": node(["p": definition()], order: ["q"])]
        let error = PlanError.unknownInOrder(node: NodeName("a"), ProfileName("q"), known: ["p"])
        #expect(throws: error) { try PlanMaker(localUser: "me").plan([evaluation(nodes)]) }
        let asked = EvaluationRequest.Nodes.named([NodeName("a"): .named([ProfileName("p")])])
        #expect(try PlanMaker(localUser: "me").plan([evaluation(nodes, asked: asked)]).profiles.count == 1)
    }

    @Test func hostnameIsForOneNode() throws {
        let maker = PlanMaker(overrides: Overrides(hostnames: ["h"]), localUser: "me")
        let one = node(["p": definition()], hostname: nil)
        #expect(try maker.plan([evaluation(["a": one])]).nodes.map(\.hostname) == ["h"])
        let error = PlanError.forOneNode(option: "--hostname", [NodeName("a"), NodeName("b")])
        #expect(throws: error) { try maker.plan([evaluation(["a": one, "b": one])]) }
        #expect(error.exitCode == .usage)
        #expect(throws: PlanError.noHostname(NodeName("a"))) {
            try PlanMaker(localUser: "me").plan([evaluation(["a": one])])
        }
    }

    @Test func twoSourcesMakeOnePlanUnlessTheyClash() throws {
        let maker = PlanMaker(localUser: "me")
        let first = evaluation(["a": node(["p": definition()]), "b": node(["p": definition()])])
        let second = evaluation(["a": node(["q": definition()])], source: "x")
        #expect(try maker.plan([first, second]).profiles.map(\.label) == ["a.p", "a.q", "b.p"])
        #expect(throws: PlanError.twoProfiles(node: NodeName("a"), profile: ProfileName("p"))) {
            try maker.plan([first, first])
        }
        let other = evaluation(["a": node(["q": definition()], hostname: "other")], source: "x")
        #expect(throws: PlanError.twoNodes(NodeName("a"))) { try maker.plan([first, other]) }
    }

    @Test func nothingToDeployIsAnError() {
        #expect(throws: PlanError.nothingToDeploy) {
            try PlanMaker(localUser: "me").plan([evaluation(["a": node([:])])])
        }
    }

    @Test func withoutAnyUserThereIsNone() {
        #expect(throws: PlanError.noUser(node: NodeName("web1"), profile: ProfileName("system"))) {
            try profile(Settings())
        }
    }

    @Test(
        arguments: [
            (Settings(user: "-root"), "system", nil, "user", "-root"),
            (Settings(user: "a/b"), "system", nil, "user", "a/b"),
            (Settings(user: ""), "system", nil, "user", ""),
            (Settings(sshUser: "-oProxyCommand=x"), "system", nil, "sshUser", "-oProxyCommand=x"),
            (Settings(user: "u", sudo: "sudo '"), "system", nil, "sudo", "sudo '"),
            (Settings(user: "u", tempPath: "tmp"), "system", nil, "tempPath", "tmp"),
            (Settings(user: "u"), "system", "profile", "profilePath", "profile"),
            (Settings(user: "u"), "a/b", nil, nil, "a/b"), (Settings(user: "u"), "..", nil, nil, ".."),
            (Settings(user: "u"), "", nil, nil, ""), (Settings(user: "u"), "a\nb", "/p", nil, "a\nb"),
            (Settings(user: "u"), "a\0b", nil, nil, "a\0b"),
            (Settings(user: "u", sshOpts: ["\0"]), "p", nil, "sshOpts", "\0"),
            (Settings(user: "u", rebootIfStuck: true), "p", nil, "rebootIfStuck", "true"),
        ] as [(Settings, String, String?, String?, String)])
    func whatCannotBeHandedOnIsRefused(
        settings: Settings, name: String, profilePath: String?, attribute: String?, value: String
    ) throws {
        let error = #expect(throws: PlanError.self) { try profile(settings, name: name, profilePath: profilePath) }
        guard case .unusable(let path, value, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(path == ["deploy", "nodes", "web1", "profiles", name] + (attribute.map { [$0] } ?? []))
    }

    @Test(arguments: ["", "-oProxyCommand=x", "a b", "a\nb"])
    func aHostNameThatSSHWouldMisreadIsRefused(hostname: String) {
        let error = #expect(throws: PlanError.self) {
            try PlanMaker(localUser: "me").plan([evaluation(["a": node(["p": definition()], hostname: hostname)])])
        }
        #expect(error?.description.hasPrefix("deploy.nodes.a.hostname: ") == true)
    }

    @Test func aProfileOfItsOwnPathMayHaveAnyName() throws {
        #expect(try profile(Settings(user: "u"), name: "a/b", profilePath: "/p").location == .path("/p"))
    }

    @Test func theLocalUserHasAName() {
        #expect(!LocalAccount(environment: [:]).name.isEmpty)
    }
}
