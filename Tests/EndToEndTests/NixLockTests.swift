import Foundation
import Shared
import Testing

/// A lock file that an earlier nix-env meant to unlink, in a folder that it could not write to: every later nix-env would
/// wait for it without end.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct NixLockTests {
    private static let link = Node.appProfile("web")
    private static let folder = (link as NSString).deletingLastPathComponent
    /// As nix-env leaves it.
    private static let leave = "printf d >\(link).lock; chmod 555 \(folder)"
    private static let words = "an earlier nix-env left this lock file behind, and every other would wait for it"

    private func deploy(_ scene: Scene, _ version: String, then: String = "true") async throws -> LocalResult {
        let activation = "\(Script.mark(version, user: "app")); \(then)"
        try scene.fixture.write([.init(name: "web", user: "app", activation: activation)], version: version)
        return try await scene.lab.deploy([scene.fixture.flake])
    }

    private func expectMended(_ scene: Scene, _ versions: [String]) async throws {
        try await scene.node.shell("chmod 755 \(Self.folder)", as: "app")
        expect(try await deploy(scene, "last"), is: .done)
        #expect(try await scene.node.marks(of: "app") == versions + ["last"])
        #expect(try await scene.node.shell("ls \(Self.folder)").contains(".lock") == false)
    }

    @Test("R11: where it cannot be removed nothing is changed, and what to do is told")
    func beforeTheProfileIsSet() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            try await scene.node.shell(Self.leave, as: "app")
            expect(
                try await deploy(scene, "two"), is: .failed, says: "nothing changed, still on generation 1",
                "\(Self.link).lock", Self.words)
            try await expectMended(scene, ["one"])
        }
    }

    @Test("R28: where it keeps a rollback from the profile that is told beside the reason")
    func duringARollback() async throws {
        try await Scene.with { scene in
            expect(try await deploy(scene, "one"), is: .done)
            expect(
                try await deploy(scene, "two", then: "\(Self.leave); exit 7"), is: .stuck,
                says: "is stuck on generation 2", "exit status 7", "the rollback failed: ", Self.words)
            #expect(try await scene.node.generation(Self.link) == 2)
            try await expectMended(scene, ["one", "two"])
        }
    }
}
