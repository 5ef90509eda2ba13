import Shared
import Testing

@testable import Deployer

/// What is read from and written for OpenSSH's programs.
struct SSHTextTests {
    private static let key = "AAAAC3NzaC1lZDI1NTE5AAAAIJ+uZmiWnqgQbsY2mSW3sbvx3RaQqvZLQW1ZqkqVhXvz"

    @Test func linesOfKnownHostsAreFoundWithTheirPlace() throws {
        let text = """
            # Host web1 found: line 2
            web1,192.0.2.7 ssh-ed25519 \(Self.key) a comment
            # Host web1 found: line 5 CA
            @cert-authority *.example ssh-ed25519 \(Self.key)
            # Host web1 found: line 7 REVOKED
            @revoked * ssh-ed25519 \(Self.key)
            # Host web1 found: line 9
            |1|salt=|hash= ssh-ed25519 \(Self.key)
            # Host web1 found: line 11
            web1 ssh-ed25519 not-base64!
            """
        let lines = KnownHosts.parse(text, file: "/known")
        #expect(lines.map(\.line) == [2, 5, 7, 9])
        #expect(lines.map(\.mark) == [.none, .authority, .revoked, .none])
        #expect(lines[0].place == "/known:2")
        #expect(KnownHosts.parse("\n#\n@revoked\n@revoked x\nx\n# found: line x\n", file: "").isEmpty)
    }

    @Test func hostKeysAreJudged() throws {
        let key = try #require(PublicKey(base64: Self.key))
        let other = try #require(PublicKey([0, 0, 0, 11] + Array("ssh-ed25519".utf8)))
        let ecdsa = try #require(PublicKey([0, 0, 0, 19] + Array("ecdsa-sha2-nistp256".utf8)))
        func line(_ key: PublicKey, _ mark: KnownHost.Mark = .none) -> KnownHost {
            KnownHost(file: "/known", line: 1, mark: mark, key: key)
        }
        #expect(judgeHostKey(key, []) == .new)
        #expect(judgeHostKey(key, [line(key)]) == .known)
        #expect(judgeHostKey(key, [line(other), line(key)]) == .known)
        #expect(judgeHostKey(key, [line(other)]) == .changed(line(other)))
        #expect(judgeHostKey(key, [line(ecdsa)]) == .otherType(line(ecdsa)))
        #expect(judgeHostKey(key, [line(key), line(key, .revoked)]) == .revoked)
        #expect(judgeHostKey(key, [line(other, .revoked)]) == .new)
        #expect(judgeHostKey(key, [line(key, .authority)]) == .new)
        let available = ["ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa"]
        #expect(hostKeyOrder([line(key)], allowed: [], available: available).first == "ssh-ed25519")
        let allowed = ["rsa-sha2-512", "ecdsa-sha2-nistp256", "ssh-ed25519"]
        let certificates = ["ssh-ed25519-cert-v01@openssh.com"] + available
        #expect(hostKeyOrder([], allowed: [], available: certificates) == available)
        #expect(hostKeyOrder([], allowed: allowed, available: available) == ["ecdsa-sha2-nistp256", "ssh-ed25519"])
    }

    @Test(
        arguments: [
            ("", nil), ("Warning: Permanently added 'x' (ED25519) to the list of known hosts.\n", nil),
            (
                "mux_client_request_session: session request failed: Session open refused by peer\n"
                    + "me@web1: Permission denied (publickey).\n", .sessionRefused
            ),
            ("me@web1: Permission denied (publickey,password).\r\n", .loginRefused(accepted: "publickey,password")),
            (
                "Received disconnect from 192.0.2.7 port 22:2: Too many authentication failures\r\n",
                .loginRefused(accepted: "")
            ),
            ("No ED25519 host key is known for web1\r\nHost key verification failed.\r\n", .hostKeyNotAccepted),
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\nThe fingerprint is\n"
                    + "SHA256:abc.\r\nAdd correct host key in /known to get rid of this message.\n"
                    + "Offending ECDSA key in /known:12\r\nHost key verification failed.\r\n",
                .hostKeyChanged(fingerprint: "SHA256:abc", knownIn: "/known:12")
            ),
            (
                "ssh: connect to host web1 port 22: Connection refused\r\n",
                .unreachable("ssh: connect to host web1 port 22: Connection refused")
            ),
            ("ssh: connect to host web1 port 22: Connection timed out\r\n", .timedOut),
            ("Timeout, server web1 not responding.\r\n", .lost("Timeout, server web1 not responding.")),
            (
                "Host key ED25519 SHA256:x revoked by file /revoked\r\nHost key verification failed.\r\n",
                .hostKeyRevoked
            ),
            ("something new\n", .other("something new")),
        ] as [(String, OpenSSHFailure?)])
    func sshsOwnWordsAreUnderstood(log: String, expected: OpenSSHFailure?) {
        #expect(OpenSSHFailure(log: log) == expected)
    }

    @Test func theSystemsSSHIsCalledWithTheseWords() {
        let destination = Destination(host: "web1", user: "me", options: ["-p", "2222"])
        var configuration = SSHConfiguration(originalHost: "web1", hostName: "web1", user: "me")
        let line = OpenSSHCommandLine(destination: destination, configuration: configuration, folder: "/tmp/x")
        #expect(
            line.master().joined(separator: " ")
                == "ssh -N -E /tmp/x/master.log -o ControlMaster=yes -o ControlPath=/tmp/x/s "
                + "-o ControlPersist=no -o LogLevel=INFO -o PermitLocalCommand=yes -o LocalCommand=echo ready "
                + "-o RemoteCommand=none -o RequestTTY=no -o ClearAllForwardings=yes -o Compression=no -o ConnectTimeout=10 "
                + "-o ServerAliveInterval=15 -o ServerAliveCountMax=3 -l me -p 2222 -T -- web1")
        #expect(
            line.command("'it'\\''s'", log: "/tmp/x/1.log")
                == [
                    "ssh", "-E", "/tmp/x/1.log", "-o", "ControlMaster=no", "-o", "ControlPath=/tmp/x/s", "-o",
                    "LogLevel=INFO", "-o", "RemoteCommand=none", "-o", "RequestTTY=no", "-o",
                    "ClearAllForwardings=yes", "-o", "PermitLocalCommand=no", "-o", "BatchMode=yes", "-o",
                    "PreferredAuthentications=none", "-l", "me", "-p", "2222", "-T", "--", "web1",
                    "'it'\\''s'",
                ])
        configuration.connectTimeout = .seconds(3)
        configuration.serverAliveInterval = .seconds(5)
        let own = OpenSSHCommandLine(destination: destination, configuration: configuration, folder: "/tmp/x")
        #expect(!own.master().contains { $0.hasPrefix("ConnectTimeout") || $0.hasPrefix("ServerAlive") })
    }

    @Test func secretsShowNowhere() {
        let secret = Secret(Array("hunter2".utf8))
        #expect("\(secret) \(String(reflecting: secret)) \(String(describing: [secret]))".contains("hunter2") == false)
    }
}

@Test func theLockGoesToOneAfterTheOtherAndSurvivesCancellation() async throws {
    let lock = AsyncLock()
    let entered = OneShot<Bool>()
    let leave = OneShot<Bool>()
    let first = Task {
        try await lock.withLock {
            entered.set(true)
            _ = try await leave.value(within: .seconds(120))
        }
    }
    _ = try await entered.value(within: .seconds(120))
    let second = Task { try await lock.withLock { "second" } }
    let third = Task { try await lock.withLock { "third" } }
    second.cancel()
    await #expect(throws: CancellationError.self) { try await second.value }
    leave.set(true)
    try await first.value
    #expect(try await third.value == "third")
}
