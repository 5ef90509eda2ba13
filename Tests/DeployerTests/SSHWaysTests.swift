import Foundation
import Shared
import Testing

@testable import Deployer

/// Ways to log in that the other suites do not have; with them, each row of the README's table is tested.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct SSHWaysTests {
    private static let both = [TransportChoice.libssh2, .openssh]

    /// Logs in, runs a command, and gives what it wrote.
    @discardableResult
    private func logIn(_ connector: SSHConnector, _ destination: Destination, _ script: String = "") async throws
        -> String
    {
        let remote = try await connector.connect(destination)
        let result = try await remote.run(["sh", "-c", "\(script)\necho done"])
        await remote.close()
        #expect(result.exit.isSuccess)
        return result.text
    }

    @Test(arguments: both)
    func includedFilesAndMatchBlocksCount(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        try server.trustHostKeys(name: "web1.example")
        try write("Host web?\n  HostName 127.0.0.1\n", to: "\(server.folder)/more")
        try server.writeClientConfiguration([
            "Include \(server.folder)/more", "Match host 127.0.0.1 exec \"test %n = web1\"",
            "  HostKeyAlias web1.example", "Match all",
        ])
        try await logIn(testConnector(choice), server.destination(host: "web1"))
    }

    @Test(arguments: both)
    func theRightOneOfSeveralKeysIsFound(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        var options = ["-o", "IdentitiesOnly=yes"]
        for number in 1...4 {
            let key = "\(server.folder)/key\(number)"
            try await makeKey(key, type: number.isMultiple(of: 2) ? "ecdsa" : "ed25519")
            options += ["-i", key]
        }
        try server.authorize(["\(server.folder)/key4"])
        try await logIn(testConnector(choice), server.destination(options))
    }

    @Test func eachAgentKeyIsTriedOnceAndTheNextLoginStartsWithTheRightOne() async throws {
        let server = try await SSHTestServer.start(["MaxAuthTries 20"])
        let socket = "\(server.folder)/agent"
        let agent = try await startAgent(socket)
        defer { agent.terminate() }
        var keys: [String] = []
        for number in 1...5 {
            keys.append("\(server.folder)/agent\(number)")
            try await makeKey(keys[number - 1], type: "ed25519")
        }
        try await run(["env", "SSH_AUTH_SOCK=\(socket)", "ssh-add", "-q"] + keys)
        try server.authorize([keys[4]])
        try server.writeClientConfiguration(["IdentityAgent SSH_AUTH_SOCK"])
        let connector = testConnector(.libssh2, agent: socket)
        try await logIn(connector, server.destination())
        #expect(server.log.count("Failed publickey") == 4)
        try await logIn(connector, server.destination())
        #expect(server.log.count("Failed publickey") == 4)
        #expect(server.log.count("Accepted publickey") == 2)
    }

    // MARK: What only the system's ssh does

    /// Logs in with the transport that is chosen, which must be the system's `ssh`, for this reason.
    private func throughSSH(
        _ server: SSHTestServer, because reason: String, agent: String? = nil, _ options: [String],
        _ script: String = ""
    ) async throws -> String {
        let log = TestLog()
        let text = try await logIn(testConnector(agent: agent, log: log), server.destination(options), script)
        #expect(log.lines.contains { $0.hasSuffix("over the system's ssh: \(reason)") }, "\(log.lines)")
        return text
    }

    @Test func aCommandThatKnowsHostsIsAsked() async throws {
        let server = try await SSHTestServer.start()
        try await run(["cp", "\(server.folder)/known_hosts", "\(server.folder)/known"])
        try server.trustHostKeys([])
        let command = "KnownHostsCommand=/bin/cat \(server.folder)/known"
        _ = try await throughSSH(server, because: "KnownHostsCommand is set", ["-o", command])
    }

    @Test func theAgentIsForwarded() async throws {
        let server = try await SSHTestServer.start()
        let socket = "\(server.folder)/agent"
        let agent = try await startAgent(socket)
        defer { agent.terminate() }
        try await run(["env", "SSH_AUTH_SOCK=\(socket)", "ssh-add", "-q", "\(server.folder)/id_ed25519"])
        let options = ["-o", "IdentityAgent=\(socket)", "-o", "IdentitiesOnly=no", "-A"]
        let text = try await throughSSH(server, because: "ForwardAgent is set", agent: socket, options, "ssh-add -l")
        #expect(text.contains("test key (ED25519)"))
    }

    @Test func aListOfRevokedHostKeysIsObeyed() async throws {
        let server = try await SSHTestServer.start()
        let list = "\(server.folder)/revoked"
        try await run(["ssh-keygen", "-q", "-k", "-f", list, "\(server.folder)/host_ecdsa.pub"])
        _ = try await throughSSH(server, because: "RevokedHostKeys is set", ["-o", "RevokedHostKeys=\(list)"])
        try await run(["ssh-keygen", "-q", "-k", "-u", "-f", list, "\(server.folder)/host_ed25519.pub"])
        let error = await #expect(throws: SSHError.self) {
            try await testConnector().connect(server.destination(["-o", "RevokedHostKeys=\(list)"]))
        }
        guard case .hostKeyRevoked? = error else { throw TestFailure("\(error as Any)") }
    }

    @Test func aKerberosTicketIsLeftToSSH() async throws {
        // No realm here: a ticket is said to be there, and ssh goes on to the key when it cannot be used.
        let server = try await SSHTestServer.start()
        try await makeProgram("\(server.folder)/klist", "[ \"$*\" = -s ]")
        var environment = currentEnvironment()
        environment["PATH"] = "\(server.folder):\(environment["PATH"] ?? "")"
        environment["SSH_AUTH_SOCK"] = nil
        let log = TestLog()
        let connector = SSHConnector(prompter: TestPrompter(), environment: environment) { log.add($0) }
        try await logIn(connector, server.destination(["-o", "GSSAPIAuthentication=yes"]))
        #expect(
            log.lines.contains { $0.hasSuffix("ssh: there is a Kerberos ticket, and GSSAPI is on") }, "\(log.lines)")
        // Switched off, as the user may have it, there is nothing to leave to it.
        try await logIn(connector, server.destination(["-o", "GSSAPIAuthentication=no"]))
        #expect(log.lines.contains { $0.contains("over libssh2") })
    }

    @Test func aHardwareKeyThatIsNotPluggedInIsARefusalThatNamesIt() async throws {
        let server = try await SSHTestServer.start()
        let key = "\(server.folder)/id_sk"
        try await makeHardwareKey(key, in: server.folder)
        try server.authorize([key])
        let options = ["-o", "IdentitiesOnly=yes", "-i", key]
        let log = TestLog()
        let error = await #expect(throws: SSHError.self) {
            try await testConnector(log: log).connect(server.destination(options))
        }
        guard case .loginRefused? = error else { throw TestFailure("\(error as Any)") }
        let reason = "key \(key) is a hardware key"
        #expect(log.lines.contains { $0.hasSuffix("over the system's ssh: \(reason)") }, "\(log.lines)")
        // Forced, libssh2 says what it lacks.
        let step = "logging in with libssh2"
        await #expect(throws: SSHError.failed(host: "127.0.0.1", step: step, reason: reason)) {
            try await testConnector(.libssh2).connect(server.destination(options))
        }
    }

    @Test func forcedLibSSH2NamesTheCertificateThatItCannotUse() async throws {
        let server = try await SSHTestServer.start()
        let authority = "\(server.folder)/authority"
        let key = "\(server.folder)/certified"
        for file in [authority, key] { try await makeKey(file, type: "ed25519") }
        try await run(["ssh-keygen", "-q", "-s", authority, "-I", "me", "-n", SSHTestServer.user, "\(key).pub"])
        let line = "cert-authority " + (try String(contentsOfFile: "\(authority).pub", encoding: .utf8))
        try write(line, to: "\(server.folder)/authorized_keys")
        let reason = "\(key)-cert.pub is a certificate"
        let step = "logging in with libssh2"
        await #expect(throws: SSHError.failed(host: "127.0.0.1", step: step, reason: reason)) {
            try await testConnector(.libssh2).connect(server.destination(["-i", key]))
        }
    }

    /// Makes a key that says of itself to be a hardware key, as ssh-keygen would with a device plugged in.
    private func makeHardwareKey(_ path: String, in folder: String) async throws {
        let plain = "\(folder)/point"
        try await makeKey(plain, type: "ed25519")
        let text = try String(contentsOfFile: "\(plain).pub", encoding: .utf8)
        let plainKey = try #require(PublicKey(line: text))
        var reader = WireReader(plainKey.bytes)
        _ = reader.string()
        let second = reader.string()
        let point = try #require(second)
        let type = "sk-ssh-ed25519@openssh.com"
        var publicKey = WireWriter()
        publicKey.add(string: type.utf8)
        publicKey.add(string: point)
        publicKey.add(string: "ssh:".utf8)
        try write("\(type) \(base64(publicKey.bytes)) test key\n", to: "\(path).pub")
        var secret = WireWriter()
        for _ in 1...2 { secret.add(number: 4711) }
        secret.add(string: type.utf8)
        secret.add(string: point)
        secret.add(string: "ssh:".utf8)
        secret.add(1)
        secret.add(string: [UInt8](repeating: 7, count: 64))
        secret.add(string: [])
        secret.add(string: "test key".utf8)
        for byte in 1...7 where secret.bytes.count % 8 != 0 { secret.add(UInt8(byte)) }
        var file = WireWriter()
        for word in ["none", "none", ""] { file.add(string: word.utf8) }
        file.add(number: 1)
        file.add(string: publicKey.bytes)
        file.add(string: secret.bytes)
        let encoded = base64(Array("openssh-key-v1\0".utf8) + file.bytes)
        let lines = stride(from: 0, to: encoded.count, by: 70).map { String(encoded.dropFirst($0).prefix(70)) }
        let body = lines.joined(separator: "\n")
        try write("-----BEGIN OPENSSH PRIVATE KEY-----\n\(body)\n-----END OPENSSH PRIVATE KEY-----\n", to: path)
        try await run(["chmod", "600", path])
    }
}
