import Foundation
import Shared
import Testing

@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct SuccessTests {
    private func profiles(_ version: String) -> [Fixture.Profile] {
        [
            .init(
                name: "web", user: "app", activation: "id -un >>/var/tmp/order; " + Script.mark(version, user: "app")),
            .init(name: "system", activation: "id -un >>/var/tmp/order; " + Script.mark(version)),
        ]
    }

    @Test func twoProfilesOfTwoUsersAreDeployedInTheirOrderAndAgain() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab)
            try await node.shell("install -m 666 /dev/null /var/tmp/order")
            for (index, version) in ["one", "two"].enumerated() {
                try fixture.write(profiles(version), version: version)
                let result = try await lab.deploy([fixture.flake])
                let number = index + 1
                for (name, link) in [("web", Node.appProfile("web")), ("system", "/nix/var/nix/profiles/system")] {
                    expect(result, is: .done, says: "\"\(name)\": deployed and confirmed on generation \(number)")
                    #expect(try await node.generation(link) == number)
                    #expect(try await node.profile(link).hasSuffix("-activatable-\(name)-\(version)"))
                }
                let move = index == 0 ? "none -> 1" : "1 -> 2"
                expect(result.errorText, hasRow: "web1 web \(move) deployed")
            }
            #expect(try await node.shell("cat /var/tmp/order") == "app\nroot\napp\nroot")
            #expect(try await node.marks() == ["one", "two"])
            #expect(try await node.marks(of: "app") == ["one", "two"])
        }
    }

    @Test func anActivationIsToldWhereItIsAndWhatItIsFor() async throws {
        try await Scene.with { scene in
            let words = #"echo "$PROFILE|$PWD|$DRY_ACTIVATE|$BOOT|$(id -un)" >/root/told"#
            try await scene.deployed("one", then: words)
            let link = "/nix/var/nix/profiles/system"
            // The working folder as the kernel names it: where the link leads.
            let folder = try await scene.node.profile()
            let told = try await scene.node.shell("cat /root/told")
            #expect(told == "\(link)|\(link)|0|0|root" || told == "\(link)|\(folder)|0|0|root")
        }
    }

    @Test func theDryRunBranchAloneRunsInADryRun() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let listing = "find /nix/var/nix/profiles /root -printf '%p %l %T@\\n' | sort"
            let before = try await scene.node.shell(listing)
            try branching(scene, version: "two")
            let result = try await scene.lab.deploy(["--dry-activate", scene.fixture.flake])
            expect(result, is: .done, says: "it would switch to two", "dry run done, nothing changed")
            #expect(try await scene.node.shell(listing) == before)
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one"]))
        }
    }

    @Test func aFailedDryRunIsAFailureThatChangedNothing() async throws {
        try await Scene.with { scene in
            try branching(scene, version: "one", dry: "echo it would not; exit 5")
            let result = try await scene.lab.deploy(["--dry-activate", scene.fixture.flake])
            expect(result, is: .failed, says: "it would not", "dry run failed")
            #expect(try await scene.state() == .init(current: nil, generations: [], marks: []))
        }
    }

    @Test func bootRunsItsBranchAndCommitsAtOnce() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            try branching(scene, version: "two")
            let result = try await scene.lab.deploy(["--boot", scene.fixture.flake])
            expect(result, is: .done, says: "generation 2")
            #expect(!result.errorText.contains("confirming over a new connection"))
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "boots two"]))
        }
    }

    /// A closure whose three branches differ.
    private func branching(_ scene: Scene, version: String, dry: String? = nil) throws {
        let texts = [
            "dryActivate = \(nixString(dry ?? "echo it would switch to \(version)"));",
            "boot = \(nixString(Script.mark("'boots \(version)'")));",
        ]
        let kind = "(activate.custom // { \(texts.joined(separator: " ")) })"
        let path = "\(kind) (base \(nixString(version))) \(nixString(Script.mark(version)))"
        try scene.fixture.write([.init(path: path)])
    }
}
