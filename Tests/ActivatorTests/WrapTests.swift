import Foundation
import Testing

@testable import Activator

struct WrapTests {
    let scratch: WrapScratch

    init() throws { scratch = try WrapScratch() }

    private func wrap(agent: String? = "/agent/bin/activate") -> Wrap {
        Wrap(
            base: "\(scratch.path)/base", script: Array("#!/bin/sh\n".utf8), agent: agent, output: "\(scratch.path)/out"
        )
    }

    @Test func aWrapperLinksToAllThatItsBaseHolds() throws {
        try scratch.file("base/bin/hello")
        try scratch.file("base/.hidden")
        try scratch.file("base/two words")
        try FileManager.default.createSymbolicLink(
            atPath: "\(scratch.path)/base/dangling", withDestinationPath: "nowhere")
        try wrap().run()
        for name in ["bin", ".hidden", "two words", "dangling"] {
            #expect(try scratch.target("out/\(name)") == "\(scratch.path)/base/\(name)")
        }
        #expect(try BuilderFiles.names(in: "\(scratch.path)/out").count == 6)
    }

    @Test func aWrapperHoldsTheScriptAndTheAgent() throws {
        try scratch.file("base/x")
        try wrap().run()
        #expect(try scratch.text("out/deploy-rs-activate") == "#!/bin/sh\n")
        #expect(try scratch.mode("out/deploy-rs-activate") == 0o555)
        #expect(try scratch.target("out/activate-rs") == "/agent/bin/activate")
    }

    @Test func withoutAnAgentThereIsNoActivateRs() throws {
        try scratch.file("base/x")
        try wrap(agent: nil).run()
        #expect(try BuilderFiles.names(in: "\(scratch.path)/out") == ["deploy-rs-activate", "x"])
    }

    @Test(arguments: ["deploy-rs-activate", "activate-rs"])
    func aBaseThatIsActivatableAlreadyIsRefused(entry: String) throws {
        try scratch.file("base/\(entry)")
        #expect(throws: BuilderError.baseHolds(entry: entry, base: "\(scratch.path)/base")) { try wrap().run() }
        #expect(!BuilderFiles.exists("\(scratch.path)/out"))
    }

    @Test func aBaseThatIsAFileIsRefused() throws {
        try scratch.file("base")
        #expect(throws: BuilderError.baseIsNoFolder("\(scratch.path)/base")) { try wrap().run() }
    }

    @Test func aPackageHoldsCopiesThatMayBeExecuted() throws {
        let source = try scratch.file("source", String(repeating: "x", count: 3 << 20))
        try WrapPackage(files: ["bin/deploy": source, "libexec/a/b": source], output: "\(scratch.path)/out").run()
        for name in ["out/bin/deploy", "out/libexec/a/b"] {
            #expect(try scratch.text(name).utf8.count == 3 << 20)
            #expect(try scratch.mode(name) == 0o555)
        }
    }

    @Test func attributesComeFromVariablesAndFromFiles() throws {
        let script = try scratch.file("script", "text")
        let attributes = BuilderAttributes(["base": "/base", "scriptPath": script, "out": "/out", "agent": ""])
        let wrap = try Wrap(attributes)
        #expect(wrap.base == "/base" && wrap.output == "/out" && wrap.agent == nil)
        #expect(wrap.script == Array("text".utf8))
    }

    @Test func aMissingAttributeIsNamed() {
        #expect(throws: BuilderError.missingAttribute("base")) { try Wrap(BuilderAttributes([:])) }
    }

    @Test func wordsThatNoBuilderKnowsAreAUsageError() {
        #expect(Builder.run(["wrap", "--all"]) == 2)
    }
}
