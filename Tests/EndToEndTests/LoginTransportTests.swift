import Foundation
import Shared
import Testing

/// Servers that are strict, and nodes that do not answer.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct LoginTransportTests {
    /// What NixOS's sshd offers by default.
    private static let strict = """
        Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr
        MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com,umac-128-etm@openssh.com
        KexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org
        """

    @Test func aStrictServerIsReachedOneWayOrTheOther() async throws {
        try await Lab.withNode { lab, _ in
            try await lab.sshd("web1", Self.strict)
            let fixture = try Fixture(in: lab).write([.init()])
            let result = try await lab.deploy(["-d", fixture.flake])
            expect(result, .done)
            // libssh2 before 1.11 has no encrypt-then-MAC.
            if result.errorText.contains("over libssh2 1.10") {
                let reason = "libssh2 and the server have no algorithms in common"
                expect(result, .done, says: "over the system's ssh: \(reason)")
                let forced = try await lab.deploy(["--ssh-transport", "libssh2", fixture.flake])
                expect(forced, .unreachable, says: "logging in with libssh2", "no algorithms in common")
            }
        }
    }

    @Test(arguments: ["libssh2", "openssh"])
    func eachTransportCanBeForcedAndNeedsOneSessionOnly(transport: String) async throws {
        try await Lab.withNode { lab, _ in
            try await lab.sshd("web1", "MaxSessions 1")
            let fixture = try Fixture(in: lab).write([.init()])
            let result = try await lab.deploy(["-d", "--ssh-transport", transport, fixture.flake])
            expect(result, .done, says: transport == "openssh" ? "over the system's ssh: it was" : "over libssh2 ")
        }
    }

    @Test func nothingThatListensIsTold() async throws {
        try await Lab.withNode { lab, _ in
            try await lab.tool("sshd-stop", "web1")
            let fixture = try Fixture(in: lab).write([.init()])
            let result = try await lab.deploy([fixture.flake])
            expect(
                result, .unreachable, says: "web1: error: preflight failed: web1", "refused", "nothing was activated")
        }
    }

    @Test func silenceIsToldAndTheBuildNotWaitedFor() async throws {
        try await Lab.withNode { lab, _ in
            try await lab.tool("cut", "web1")
            let never = PipelineTests.waiting(for: "\(lab.folder)/never", "never")
            let fixture = try Fixture(in: lab).write([.init(path: "activate.noop \(never)")])
            let options = ["--ssh-opts", "-o ConnectTimeout=2", fixture.flake]
            let result = try await lab.deploy(options, timeLimit: .seconds(300))
            expect(result, .unreachable, says: "web1: error: preflight failed: web1", "Connection timed out")
        }
    }
}
