import Foundation
import Shared
import Testing

@testable import Deployer

/// A changed host key that `StrictHostKeyChecking=no` lets in: keys are enough of a proof of us, secrets stay here.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct SSHDoubtTests {
    private static let both = [TransportChoice.libssh2, .openssh]

    /// A server that is known with another key, on the second line.
    private func server(_ options: [String] = []) async throws -> SSHTestServer {
        let server = try await SSHTestServer.start(options)
        try await makeKey("\(server.folder)/host_wrong", type: "ed25519")
        try server.trustHostKeys(["wrong"])
        let file = "\(server.folder)/known_hosts"
        try write("# a comment\n" + String(contentsOfFile: file, encoding: .utf8), to: file)
        return server
    }

    private let options = ["-o", "StrictHostKeyChecking=no"]

    @Test(arguments: both)
    func aSecretIsNotSentToAHostInDoubt(choice: TransportChoice) async throws {
        let server = try await server()
        let remote = try await testConnector(choice).connect(server.destination(options))
        #expect(try await remote.run(["cat"], input: Array("plain".utf8)).text == "plain")
        let doubt = HostDoubt(host: "127.0.0.1", knownIn: "\(server.folder)/known_hosts:2")
        #expect(await remote.doubt == doubt)
        let file = "\(server.folder)/received"
        await #expect(throws: doubt.error) {
            try await remote.run(["tee", file], input: RemoteInput(line: Secret(Array("hunter2".utf8))))
        }
        #expect(!isFile(file))
        await remote.close()
    }

    @Test(arguments: both)
    func aSecretIsSentToAKnownHost(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let remote = try await testConnector(choice).connect(server.destination())
        #expect(await remote.doubt == nil)
        let input = RemoteInput(line: Secret(Array("hunter2".utf8)))
        #expect(try await remote.run(["cat"], input: input).text == "hunter2\n")
        await remote.close()
    }

    @Test(arguments: both)
    func noPasswordForSudoIsAskedForThere(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        // A node in little: a Nix, and a sudo that wants a password.
        for (name, text) in [("nix-daemon", "exit 0"), ("sudo", "[ \"$1\" != -n ]")] {
            try await makeProgram("\(server.folder)/\(name)", text)
        }
        let restarted = try await server.restarted(["SetEnv SHLVL=1 PATH=\(server.folder):/usr/bin:/bin"])
        try await makeKey("\(server.folder)/host_wrong", type: "ed25519")
        try restarted.trustHostKeys(["wrong"])
        var profile = PlannedProfile.sample
        profile.destination = restarted.destination(options)
        profile.interactiveSudo = true
        let console = try Console(showsDebug: false, usesColor: false, logDirectory: nil)
        let preflight = Preflight(
            connector: testConnector(choice), agents: AgentBinary(paths: ["": "/nix/store/agent"]), console: console,
            copier: Copier(console: console, checksSignatures: false), copies: Slots(1)
        ) { throw TestFailure("asked: \($0)") }
        let node = PlannedNode(name: profile.node, hostname: "127.0.0.1", profiles: [profile])
        let failure = await #expect(throws: StageFailure.self) { try await preflight.prepare(node) }
        let expected = SSHError.secretWithheld(host: "127.0.0.1", knownIn: "\(server.folder)/known_hosts:1")
        #expect(failure?.cause as? SSHError == expected, "\(failure as Any)")
    }

    @Test func aRevokedKeyIsRefusedEvenSo() async throws {
        let server = try await SSHTestServer.start()
        try server.trustHostKeys(["ed25519"], name: "*", mark: "@revoked ")
        for choice in Self.both {
            let error = await #expect(throws: SSHError.self) {
                try await testConnector(choice).connect(server.destination(options))
            }
            guard case .hostKeyRevoked? = error else { throw TestFailure("\(error as Any)") }
        }
    }
}
