import Shared
import Testing

/// What other accounts of a node can do to an activation: nothing.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct ForgedCanaryTests {
    private static let state = "/nix/var/nix/profiles/.deploy-swift/system"

    @Test("R1, R9, R10: canaries that others have left or forge confirm nothing")
    func forgedCanaries() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "15"])
            try await scene.node.waits(for: Script.isHeld)
            let closure = try await scene.node.profile()
            let hash = closure.dropFirst("/nix/store/".count).prefix { $0 != "-" }
            // As deploy-rs names it: there beforehand, and taken away later.
            try await scene.node.shell("echo >/tmp/deploy-rs-canary-\(hash)", as: "pw")
            // Of an earlier run that the power loss has left.
            try await scene.node.shell("echo >\(Self.state)/confirmed-\(String(repeating: "0", count: 32))")
            try await scene.lab.tool("cut", "web1")
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.isAwaiting)
            try await scene.node.shell("rm /tmp/deploy-rs-canary-\(hash)", as: "pw")
            for words in [
                "ls \(Self.state)", "touch \(Self.state)/x", "rm -r \(Self.state)", "mv \(Self.state) /tmp/x",
            ] {
                #expect(try await scene.node.shell("\(words) 2>&1 || true", as: "pw").contains("Permission denied"))
            }
            try await scene.node.waits(for: Script.has("rolledBack"))
            try await scene.lab.tool("heal", "web1")
            try await expect(run, endsAs: .rolledBack, says: "it was not confirmed within 15 s")
        }
    }

    @Test("R9: nobody else may read journal, canary or output")
    func whatOthersSee() async throws {
        try await Scene.with { scene in
            let run = try scene.start("one", then: "echo hush; \(Script.hold)")
            try await scene.node.waits(for: Script.isHeld)
            #expect(try await scene.node.shell("find \(Self.state) ! -type l -perm /077") == "")
            #expect(try await scene.node.shell("stat -c %a \(Self.state) \(Self.state)/..") == "700\n700")
            try await scene.node.shell(Script.release)
            try await expect(run, endsAs: .done)
        }
    }
}
