import Foundation
import Testing

@testable import Activator

struct CheckActivateTests {
    let scratch: WrapScratch

    init() throws { scratch = try WrapScratch() }

    private func check(_ name: String = "web1") -> CheckActivate {
        let profile = CheckActivate.Profile(node: name, profile: "system", path: "\(scratch.path)/p")
        return CheckActivate(profiles: [profile], output: "\(scratch.path)/out")
    }

    private func problem(_ text: String, _ name: String = "web1") {
        #expect(throws: BuilderError.problems(["\(name).system: \(text)"])) { try check(name).run() }
    }

    @Test func aProfileWithAnExecutableScriptPasses() throws {
        try scratch.file("p/deploy-rs-activate", mode: 0o555)
        try check().run()
        #expect(try scratch.text("out") == "can be activated: web1.system\n")
    }

    @Test func aPlainSystemPasses() throws {
        try scratch.file("p/bin/switch-to-configuration", mode: 0o555)
        try check().run()
        #expect(try scratch.text("out") == "can be activated: web1.system\n")
    }

    @Test func aProfileWithoutAScriptFailsWithWhatToDo() throws {
        try scratch.file("p/bin/x")
        problem(
            "\(scratch.path)/p holds no deploy-rs-activate; "
                + "wrap it with lib.<system>.activate.custom, .nixos, .home-manager, .darwin or .noop")
    }

    @Test func aScriptThatCannotBeExecutedFails() throws {
        try scratch.file("p/deploy-rs-activate", mode: 0o444)
        problem("\(scratch.path)/p/deploy-rs-activate is not an executable file")
    }

    @Test func aPathThatIsNoFolderFails() throws {
        try scratch.file("p")
        problem("its path \(scratch.path)/p is not a folder")
    }

    @Test func onlyAClosureWithoutActivateRsGetsAWarning() throws {
        try scratch.file("p/deploy-rs-activate", mode: 0o555)
        let profile = check().profiles[0]
        #expect(check().warning(profile)?.hasPrefix("web1.system: ") == true)
        try scratch.file("p/activate-rs", mode: 0o555)
        #expect(check().warning(profile) == nil)
    }

    @Test(arguments: [
        ("web1", "web1"), ("_a-b'c", "_a-b'c"), ("my.server", "\"my.server\""), ("1", "\"1\""), ("", "\"\""),
        ("we\"ird${x}\\", #""we\"ird\${x}\\""#),
    ])
    func namesAreWrittenAsNixWritesThem(name: String, expected: String) {
        #expect(NixName(name).description == expected)
    }
}
