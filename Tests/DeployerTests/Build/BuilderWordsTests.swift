import Testing

@testable import Deployer

struct BuilderWordsTests {
    private func builder(_ major: Int, _ minor: Int) -> Builder {
        Builder(nix: Nix(version: NixVersion(major, minor), hasFlakes: true), extraArguments: ["--impure", "-L"])
    }

    private static let derivations = [
        Derivation(path: "/s/b.drv", outputs: ["out"]), Derivation(path: "/s/a.drv", outputs: ["out"]),
        Derivation(path: "/s/a.drv", outputs: ["dev", "out"]),
    ]

    @Test(arguments: [(2, 8), (2, 14)])
    func oldNixTakesThePlainDerivation(major: Int, minor: Int) {
        let words = builder(major, minor).buildWords(Self.derivations, usesFlakes: true)
        #expect(words == ["nix", "build", "--no-link", "/s/a.drv", "/s/b.drv", "--impure", "-L"])
    }

    @Test(arguments: [(2, 15), (2, 26), (2, 34), (3, 0)])
    func newNixTakesTheOutputs(major: Int, minor: Int) {
        let words = builder(major, minor).buildWords(Self.derivations, usesFlakes: true)
        #expect(words == ["nix", "build", "--no-link", "/s/a.drv^dev,out", "/s/b.drv^out", "--impure", "-L"])
    }

    @Test func whoKeepsGoingSaysSo() {
        var builder = builder(2, 34)
        builder.keepsGoing = true
        let words = builder.buildWords([Self.derivations[0]], usesFlakes: true)
        #expect(words == ["nix", "build", "--no-link", "/s/b.drv^out", "--keep-going", "--impure", "-L"])
    }

    @Test(arguments: [(2, 8), (2, 34)])
    func filesAreBuiltWithNixBuild(major: Int, minor: Int) {
        let words = builder(major, minor).buildWords(Self.derivations, usesFlakes: false)
        #expect(
            words == ["nix-build", "--no-out-link", "/s/a.drv!dev", "/s/a.drv!out", "/s/b.drv!out", "--impure", "-L"])
    }

    @Test func checksKeepsAndSignaturesAreTheseWords() {
        let builder = builder(2, 34)
        let profile = PlannedProfile.sample
        #expect(builder.checkWords(.flake(".")) == ["nix", "flake", "check", ".", "--impure", "-L"])
        #expect(
            builder.checkWords(.file("/x")) == [
                "nix-build", "--no-out-link", "-E",
                "{ ... }@args: let file = import \"/x\"; root = if builtins.isFunction file "
                    + "then file (builtins.intersectAttrs (builtins.functionArgs file) args) else file; in "
                    + "(root.checks or { }).${builtins.currentSystem} or { }",
                "--impure", "-L",
            ])
        #expect(
            builder.keepWords(profile, in: "gc") == [
                "nix-store", "--realise", "/nix/store/x", "--add-root", "gc/web1/system",
            ])
        #expect(
            builder.signWords([profile, profile], key: "k") == [
                "nix", "store", "sign", "--extra-experimental-features", "nix-command", "-r", "-k", "k", "/nix/store/x",
            ])
    }

    @Test func whatNodesBuildThemselvesIsLeftToThem() {
        var local = PlannedProfile.sample
        local.derivations = [Self.derivations[0]]
        var remote = local
        remote.remoteBuild = true
        remote.derivations = [Self.derivations[1], Self.derivations[2]]
        let plan = Plan(nodes: [
            PlannedNode(name: NodeName("a"), hostname: "a", profiles: [local]),
            PlannedNode(name: NodeName("b"), hostname: "b", profiles: [local, remote]),
        ])
        #expect(plan.localDerivations == [Self.derivations[0]])
    }

    @Test func theCommandLineDecidesWhatIsKeptAndSigned() throws {
        let kept = Builder.Extras(try Options(["-k"]), environment: ["LOCAL_KEY": "/key"])
        #expect(kept.resultPath == "./.deploy-gc" && kept.signingKey == "/key")
        #expect(Builder.Extras(try Options(["-k", "-r", "x"]), environment: [:]).resultPath == "x")
        #expect(Builder.Extras(try Options(["-r", "x"]), environment: [:]).resultPath == nil)
    }
}
