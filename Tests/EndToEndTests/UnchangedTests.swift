import Shared
import Testing

/// What is active and committed already is left as it is, and nothing less certain.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct UnchangedTests {
    private static let line = #"web1: info: profile "system": unchanged, active and committed on generation 1"#

    @Test func itIsSaidAndNothingIsSentUnlessForced() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let logins = try await scene.node.logins().count
            let again = try await scene.deploy("one", ["-d"])
            expect(again, is: .done, says: Self.line)
            #expect(!again.errorText.contains(" copy --to "), "\(again.errorText)")
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one"]))
            #expect(try await scene.node.logins().count == logins + 1)
            let forced = try await scene.deploy("one", ["--force"])
            expect(forced, is: .done, says: "deployed and confirmed on generation 1")
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one", "one"]))
        }
    }

    /// A closure of a megabyte: once it is there, a copy sends Nix's question for it and no more.
    @Test func contentThatIsThereIsOnlyAskedFor() async throws {
        try await Scene.with { scene in
            let make = "/bin/mkdir $out && /usr/bin/head -c 1000000 /dev/urandom >$out/content"
            let builder = #"builder = "/bin/sh"; args = [ "-c" "\#(make)" ];"#
            let large = #"(derivation { inherit system; name = "large"; \#(builder) })"#
            try scene.fixture.write([.init(path: "activate.noop \(large)")])
            #expect(try await copiedBytes(scene) > 1_000_000)
            #expect(try await copiedBytes(scene, ["--force"]) < 4000)
        }
    }

    /// Deploys, and gives the bytes that the copy of its closures has sent.
    private func copiedBytes(_ scene: Scene, _ words: [String] = []) async throws -> Int {
        struct Event: Decodable {
            var phase: String?
            var state: String?
            var bytes: Int?
        }
        let result = try await scene.lab.deploy(["--json", scene.fixture.flake] + words)
        expect(result, is: .done)
        let events = try result.text.split(separator: "\n").map { try JSONLine.decode(Event.self, from: $0) }
        return try #require(events.first { $0.phase == "copy" && $0.state == "ended" }?.bytes)
    }

    @Test func onlyTheProfileThatChangedIsActivated() async throws {
        try await Scene.with { scene in
            func write(_ version: String, then: String = "true") throws {
                let web = #"activate.custom (base "web") \#(nixString(Script.mark("web", user: "app")))"#
                let system = "\(Script.mark(version))\n\(then)"
                try scene.fixture.write(
                    [.init(name: "web", user: "app", path: web), .init(activation: system)], version: version)
            }
            try write("one")
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            try write("two")
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(result, is: .done, says: #""web": unchanged"#)
            expect(result.errorText, hasRow: "web1 web 1 unchanged")
            expect(result.errorText, hasRow: "web1 system 1 -> 2 deployed")
            #expect(try await scene.node.marks(of: "app") == ["web"])
            #expect(try await scene.node.marks() == ["one", "two"])
            // A failure takes back what this run did, which is not the unchanged one.
            try write("three", then: "exit 1")
            let failed = try await scene.lab.deploy([scene.fixture.flake])
            expect(failed, is: .rolledBack)
            expect(failed.errorText, hasRow: "web1 web 1 unchanged")
            #expect(!failed.errorText.contains("taking it back"))
            #expect(try await scene.node.marks(of: "app") == ["web"])
        }
    }

    @Test func anotherGenerationIsAChange() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one", "two")
            try await scene.node.shell("nix-env -p /nix/var/nix/profiles/system --switch-generation 1")
            let result = try await scene.deploy("one")
            expect(result, is: .done, says: "deployed and confirmed on generation")
            #expect(try await scene.state().marks == ["one", "two", "one"])
            // The link is back where the last deploy left it, whoever moved it there and back.
            try await scene.node.shell("nix-env -p /nix/var/nix/profiles/system --switch-generation 2")
            expect(try await scene.deploy("two"), is: .done, says: "deployed and confirmed")
        }
    }

    @Test func whatWaitsForTheNextBootIsActivated() async throws {
        try await Scene.with { scene in
            expect(try await scene.deploy("one", ["--boot"]), is: .done, says: "set for the next boot")
            expect(try await scene.deploy("one"), is: .done, says: "deployed and confirmed on generation 1")
            #expect(try await scene.state().marks == ["one"])
            // The other way round it is not known what the next boot would do.
            expect(try await scene.deploy("one", ["--boot"]), is: .done, says: "set for the next boot")
        }
    }

    @Test func aRolledBackClosureIsTriedAgainAndADryRunIsNeverSkipped() async throws {
        try await Scene.with { scene in
            let then = "[ -e /root/fixed ]"
            expect(try await scene.deploy("one", then: then), is: .rolledBack)
            try await scene.node.shell("touch /root/fixed")
            expect(try await scene.deploy("one", then: then), is: .done, says: "deployed and confirmed")
            let dry = try await scene.deploy("one", then: then, ["--dry-activate"])
            expect(dry, is: .done, says: "dry run done")
            #expect(!dry.errorText.contains("unchanged"))
        }
    }
}
