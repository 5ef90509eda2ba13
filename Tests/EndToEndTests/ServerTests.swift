import Shared
import Testing

/// Activations that do something to the SSH server that they came through.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct ServerTests {
    private static let refuse = "echo PubkeyAuthentication no >/etc/ssh/lab.conf; lab-service sshd restart"
    private static let accept = "rm -f /etc/ssh/lab.conf; lab-service sshd restart"

    @Test("R20, R24: an activation that kills the server with all its sessions is confirmed by its successor")
    func aServerThatIsKilledAndStartedAgain() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            let kill = "pkill -9 -f '^(/usr/sbin/)?sshd'; rm -f /run/sshd.pid; lab-service sshd start"
            let result = try await scene.deploy("two", then: kill)
            expect(result, is: .done, says: "contact was lost", "deployed and confirmed on generation 2")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    @Test("R29: a server that refuses the key is put back, and lets us in again")
    func aServerThatRefusesTheKey() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one", then: Self.accept)
            let result = try await scene.deploy("two", then: Self.refuse, ["--confirm-timeout", "3"])
            expect(result, is: .rolledBack, says: "rolled back, now on generation 1")
            expect(try await scene.status(), is: .done, says: "rolledBack")
            #expect(try await scene.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    /// The user's own master would still carry sessions into a node that nobody else gets into.
    @Test("R7: a shared master connection of the user confirms nothing", arguments: ["libssh2", "openssh"])
    func aMasterConnectionThatOutlivesTheServer(transport: String) async throws {
        try await Scene.with { scene in
            try await scene.deployed("one", then: Self.accept)
            try scene.lab.configure(
                "Host web1\n    ControlMaster auto\n    ControlPath \(scene.lab.folder)/m\n    ControlPersist 120\n")
            _ = try await scene.lab.run(["ssh", "web1", "true"])
            let result = try await scene.deploy(
                "two", then: Self.refuse, ["--confirm-timeout", "3", "--ssh-transport", transport])
            expect(result, is: .rolledBack, says: "rolled back, now on generation 1")
            let master = try await scene.lab.run(["ssh", "-O", "exit", "web1"])
            #expect(master.exit == .code(0), "the master was gone: \(master.errorText)")
        }
    }
}
