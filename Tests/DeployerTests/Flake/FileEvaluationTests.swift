import Shared
import Testing

@testable import Deployer

@Suite(.serialized, .timeLimit(.minutes(10)), .enabled(if: ScratchNix.isInstalled, "nix is not installed"))
struct FileEvaluationTests {
    let scratch: ScratchNix

    /// Without flakes, and without the `nix` command.
    init() throws { scratch = try ScratchNix(features: "") }

    private func evaluate(_ path: String, _ target: String = ".", extra: [String] = []) async throws -> Evaluation {
        let request = try #require(EvaluationRequest.grouping([try Target(target, file: path)]).first)
        return try await Evaluator(nix: scratch.nix(), extraArguments: extra).evaluate(request)
    }

    private static let body = """
        { deploy = { nodes = { bad = throw "bad"; "we\\"ird\\${x}" = {
            hostname = host; profiles = { bad = throw "bad"; p.path = closure "x"; }; }; }; }; }
        """

    private static let target = #""we\"ird\${x}".p"#

    @Test func anAttributeSetAFunctionAndAFolderAreRead() async throws {
        let set = try scratch.write("let host = \"set\"; \(ScratchNix.make) in \(Self.body)", to: "set.nix")
        let function = try scratch.write(
            "{ host ? \"default\" }: let \(ScratchNix.make) in \(Self.body)", to: "folder/default.nix")
        for (path, host) in [(set, "set"), (function, "default"), ("\(scratch.folder)/folder", "default")] {
            let evaluation = try await evaluate(path, Self.target)
            let node = try #require(evaluation.deployment.nodes.values.first)
            #expect(node.hostname == host)
            #expect(node.profiles.values.first?.derivations.allSatisfy { exists($0.path) } == true)
        }
    }

    @Test func argumentsReachTheFile() async throws {
        let path = try scratch.write("{ host ? \"default\" }: let \(ScratchNix.make) in \(Self.body)", to: "a b.nix")
        let extra = ["--argstr", "host", "given", "--arg", "unused", "1"]
        #expect(try await evaluate(path, Self.target, extra: extra).deployment.nodes.values.first?.hostname == "given")
    }

    @Test func withoutFlakesAFlakesFolderStandsForItsDefaultNix() async throws {
        let nix = try await scratch.nix()
        #expect(!nix.hasFlakes)
        let evaluator = Evaluator(nix: nix)
        try scratch.write("{ }", to: "compat/default.nix")
        let folder = "\(scratch.folder)/compat"
        #expect(try evaluator.usableSource(.flake(folder)) == .file(folder))
        #expect(try evaluator.usableSource(.flake("path:\(folder)")) == .file(folder))
        let error = #expect(throws: EvaluationError.self) { try evaluator.usableSource(.flake("github:a/b")) }
        #expect(error == .noFlakes("github:a/b", reason: nix.flakesRefusal))
        #expect(nix.flakesRefusal.contains("experimental"))
        let nothing = "\(scratch.folder)/nothing.nix"
        #expect(throws: EvaluationError.noSuchFile(nothing)) { try evaluator.usableSource(.file(nothing)) }
    }

    @Test func anotherTroubleIsNotTakenForALackOfFlakes() async throws {
        let scratch = try ScratchNix()
        var environment = scratch.environment
        environment["NIX_REMOTE"] = "nonsense://"
        let question = ["nix", "eval", "--expr", "builtins.getFlake"]
        #expect(try await !LocalCommand(question, environment: environment).run().exit.isSuccess)
        #expect(try await Nix.detect(environment: environment).hasFlakes)
    }

    @Test func aFileWithoutDeployIsNixsError() async throws {
        let path = try scratch.write("{ }", to: "empty.nix")
        let error = await #expect(throws: EvaluationError.self) { try await evaluate(path) }
        #expect(error?.description.contains("attribute 'deploy' missing") == true)
    }
}
