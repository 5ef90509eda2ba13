import Shared
import Testing

@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct FullDiskTests {
    /// With no room at all it may be Nix's database that complains; with a little, what is copied does not fit.
    @Test(arguments: ["0", "8M"])
    func aStoreWithoutRoomFailsTheCopyAndNothingIsActivated(free: String) async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            try await scene.lab.tool("full", "web1", "/nix", "120M", "--free", free)
            let large = """
                (derivation {
                  inherit system; name = "large"; builder = "/bin/sh";
                  args = [ "-c" "/bin/mkdir $out && /bin/dd if=/dev/urandom of=$out/data bs=1M count=16" ];
                })
                """
            try scene.fixture.write([.init(path: "activate.custom \(large) \(nixString(Script.mark("large")))")])
            let result = try await scene.lab.deploy([scene.fixture.flake])
            expect(result, is: .failed, says: "web1: error: copy failed", "nothing was activated")
            expect(result, is: .failed, says: "hint: the node's /nix is full (")
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one"]))
            try await scene.lab.tool("full", "web1", "/nix", "off")
            try await scene.deployed("two")
        }
    }

    @Test func withoutRoomForTheJournalNothingIsChanged() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            try await scene.lab.tool("full", "web1", "/nix/var/nix/profiles", "1M")
            let result = try await scene.deploy("two")
            expect(result, is: .failed, says: "nothing changed", "No space left on device")
            let left = try await scene.node.shell("ls -A /nix/var/nix/profiles/.deploy-swift/system")
            #expect(!left.contains("spare"), "\(left)")
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one"]))
            try await scene.lab.tool("full", "web1", "/nix/var/nix/profiles", "off")
            try await scene.deployed("two")
        }
    }

    @Test func anActivationThatFillsTheDiskIsRolledBack() async throws {
        try await Scene.with { scene in
            let file = "/nix/var/nix/profiles/filler"
            try await scene.deployed("one", then: "rm -f \(file)")
            try await scene.lab.tool("full", "web1", "/nix/var/nix/profiles", "1M", "--free", "200K")
            let result = try await scene.deploy("two", then: "dd if=/dev/zero of=\(file) 2>/dev/null || true")
            expect(result, is: .rolledBack, says: "No space left on device", "rolled back, now on generation 1")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
            expect(try await scene.status(), is: .done, says: "rolledBack")
        }
    }
}
