import Foundation
import Shared
import Testing

/// What a garbage collection finds on a node in the middle of a deploy.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct CollectionTests {
    /// Nix looks for links below its own folder of profiles; of those in a home it has to be told.
    @Test("R23: old and new closure and the agent are held in the window", arguments: ["root", "app"])
    func allThreeAreHeld(user: String) async throws {
        try await Scene.with { scene in
            let link = user == "root" ? "/nix/var/nix/profiles/tool" : Node.appProfile("tool")
            let home = Script.home(user)
            func write(_ version: String, _ more: String = "true") throws {
                let activation = "\(Script.mark(version, user: user)); \(more)"
                let extra = "profilePath = \(nixString(link));"
                try scene.fixture.write(
                    [.init(name: "tool", user: user, activation: activation, extra: extra)], version: version)
            }
            try write("one")
            expect(try await scene.lab.deploy([scene.fixture.flake]), is: .done)
            let old = try await scene.node.profile(link)
            try write("two", "touch \(home)/held; until [ -e \(home)/go ]; do sleep 0.05; done; exit 1")
            let run = try scene.lab.start([scene.fixture.flake])
            try await scene.node.waits(for: "[ -e \(home)/held ]")
            let state = "\((link as NSString).deletingLastPathComponent)/.deploy-swift/tool/root"
            let roots = try await scene.node.shell("nix-store --gc --print-roots | grep -F '\(state)'")
            for held in [old, try await scene.node.profile(link), "-deploy-swift-agent"] {
                #expect(roots.contains(held), "\(held) is not in: \(roots)")
            }
            // Nothing else keeps the old one then.
            try await scene.node.shell("rm \(link)-1-link; nix-collect-garbage 2>&1")
            try await scene.node.shell("touch \(home)/go")
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 3")
            #expect(try await scene.node.profile(link) == old)
            #expect(try await scene.node.marks(of: user) == ["one", "two", "one"])
        }
    }
}
