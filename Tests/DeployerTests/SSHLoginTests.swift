import Foundation
import Shared
import Testing

@testable import Deployer

/// The program itself, which is built beside the tests.
let builtDeploy: String = {
    let tests =
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/deploy"
}()

/// A connector that sees nothing of the account's own agent.
func testConnector(
    _ choice: TransportChoice = .automatic,
    prompter: any Prompter = TestPrompter(),
    agent: String? = nil,
    log: TestLog = TestLog()
) -> SSHConnector {
    var environment = currentEnvironment()
    environment["SSH_AUTH_SOCK"] = agent
    return SSHConnector(
        choice: choice, prompter: prompter, environment: environment, askpassHelper: builtDeploy
    ) { log.add($0) }
}

@Suite(.serialized, .timeLimit(.minutes(10)))
struct SSHLoginTests {
    @Test(arguments: [TransportChoice.libssh2, .openssh])
    func aCommandRunsOverEitherTransport(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let remote = try await testConnector(choice).connect(server.destination())
        let result = try await remote.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
        #expect(result.exit == .code(3))
        #expect(result.text == "out\n")
        #expect(result.errorText == "err")
        let answer = try await remote.run(["cat"], input: Array("through stdin".utf8))
        #expect(answer.text == "through stdin")
        await remote.close()
    }

    @Test(arguments: ["ecdsa", "ed25519"], [true, false])
    func keysInEveryFormLogIn(type: String, isPEM: Bool) async throws {
        let server = try await SSHTestServer.start()
        let key = "\(server.folder)/other"
        try await makeKey(key, type: type)
        // Only ECDSA has a PEM form that ssh-keygen writes.
        if isPEM, type == "ecdsa" { try await run(["ssh-keygen", "-p", "-q", "-m", "PEM", "-N", "", "-f", key]) }
        try server.authorize([key])
        let remote = try await testConnector(.libssh2).connect(server.destination(["-i", key]))
        #expect(try await remote.run(["echo", "it's"]).text == "it's\n")
        await remote.close()
    }

    @Test(arguments: ["ecdsa", "ed25519"])
    func aPassphraseIsAskedForOnceAndOnlyIfTheServerTakesTheKey(type: String) async throws {
        let server = try await SSHTestServer.start()
        let key = "\(server.folder)/locked"
        let useless = "\(server.folder)/useless"
        try await makeKey(key, type: type, passphrase: "correct horse")
        try await makeKey(useless, type: type, passphrase: "never asked for")
        try server.authorize([key])
        let prompter = TestPrompter(["wrong", "correct horse"])
        let connector = testConnector(.libssh2, prompter: prompter)
        let destination = server.destination(["-o", "IdentitiesOnly=yes", "-i", useless, "-i", key])
        for _ in 1...2 {
            let remote = try await connector.connect(destination)
            #expect(try await remote.run(["true"]).exit.isSuccess)
            await remote.close()
        }
        #expect(prompter.questions.map(\.text) == Array(repeating: "Enter passphrase for key '\(key)': ", count: 2))
        #expect(!prompter.questions.contains { !$0.isSecret })
    }

    @Test func anRSAKeyGoesThroughTheSystemsSSHWhereLibSSH2IsTooOld() async throws {
        let server = try await SSHTestServer.start()
        let key = "\(server.folder)/rsa"
        try await makeKey(key, type: "rsa")
        try server.authorize([key])
        try server.writeClientConfiguration(["IdentityFile \(key)", "IdentitiesOnly yes"])
        let log = TestLog()
        // The server's default key is there too, but refused: only then is the RSA key's turn.
        let remote = try await testConnector(log: log).connect(server.destination())
        #expect(try await remote.run(["true"]).exit.isSuccess)
        await remote.close()
        if !LibSSH2.signsRSA {
            #expect(log.lines.last?.hasSuffix("over the system's ssh: key \(key) is an RSA key") == true)
        }
    }

    @Test func theAgentsKeyIsTakenAndTheRightOneFirstTheNextTime() async throws {
        let server = try await SSHTestServer.start(["MaxAuthTries 2"])
        let socket = "\(server.folder)/agent"
        let agent = try await startAgent(socket)
        defer { agent.terminate() }
        var keys: [String] = []
        for number in 1...5 {
            let key = "\(server.folder)/agent\(number)"
            try await makeKey(key, type: "ed25519")
            keys.append(key)
        }
        try await run(["env", "SSH_AUTH_SOCK=\(socket)", "ssh-add", "-q"] + keys)
        try server.authorize([keys[4]])
        try server.writeClientConfiguration(["IdentityAgent SSH_AUTH_SOCK"])
        // The right key comes fifth, and the server allows two tries on a connection.
        let connector = testConnector(.libssh2, agent: socket)
        let first = try await connector.connect(server.destination())
        #expect(try await first.run(["true"]).exit.isSuccess)
        let second = try await connector.connect(server.destination())
        #expect(try await second.run(["true"]).exit.isSuccess)
        await first.close()
        await second.close()
    }

    @Test func identitiesOnlyKeepsOtherAgentKeysBack() async throws {
        let server = try await SSHTestServer.start()
        let socket = "\(server.folder)/agent"
        let agent = try await startAgent(socket)
        defer { agent.terminate() }
        let key = "\(server.folder)/other"
        try await makeKey(key, type: "ed25519")
        try await run(["env", "SSH_AUTH_SOCK=\(socket)", "ssh-add", "-q", key])
        try server.authorize([key])
        let options = ["-o", "IdentityAgent=\(socket)", "-o", "IdentitiesOnly=yes"]
        let refused = SSHError.loginRefused(
            destination: "\(SSHTestServer.user)@127.0.0.1", tried: ["key \(server.folder)/id_ed25519"])
        await #expect(throws: refused) { try await testConnector(.libssh2).connect(server.destination(options)) }
        // Named by its public half, it is one of them.
        let named = options + ["-i", "\(key).pub"]
        let remote = try await testConnector(.libssh2).connect(server.destination(named))
        #expect(try await remote.run(["true"]).exit.isSuccess)
        await remote.close()
    }

    @Test(arguments: [TransportChoice.libssh2, .openssh])
    func aWrongKeyIsRefused(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        try write("", to: "\(server.folder)/authorized_keys")
        let error = await #expect(throws: SSHError.self) {
            try await testConnector(choice).connect(server.destination())
        }
        guard case .loginRefused(let destination, let tried)? = error else { throw TestFailure("\(error as Any)") }
        #expect(destination == "\(SSHTestServer.user)@127.0.0.1")
        #expect(!tried.isEmpty)
    }

    @Test func aUserCertificateGoesThroughTheSystemsSSH() async throws {
        let server = try await SSHTestServer.start()
        let authority = "\(server.folder)/authority"
        try await makeKey(authority, type: "ed25519")
        let key = "\(server.folder)/certified"
        try await makeKey(key, type: "ed25519")
        try await run(["ssh-keygen", "-q", "-s", authority, "-I", "me", "-n", SSHTestServer.user, "\(key).pub"])
        let line = "cert-authority " + (try String(contentsOfFile: "\(authority).pub", encoding: .utf8))
        try write(line, to: "\(server.folder)/authorized_keys")
        let log = TestLog()
        let remote = try await testConnector(log: log).connect(server.destination(["-i", key]))
        #expect(try await remote.run(["true"]).exit.isSuccess)
        await remote.close()
        #expect(log.lines.contains { $0.hasSuffix("over the system's ssh: \(key)-cert.pub is a certificate") })
    }

    @Test func twoFactorsOfWhichOneIsAKeyAreBothGiven() async throws {
        // The account's password is not ours to know: the second factor shows only as the next method asked for.
        let server = try await SSHTestServer.start([
            "AuthenticationMethods publickey,password", "PasswordAuthentication yes",
        ])
        let prompter = TestPrompter(["not the password", "nor this", "nor that"])
        let connector = testConnector(.libssh2, prompter: prompter)
        await #expect(throws: SSHError.self) { try await connector.connect(server.destination()) }
        #expect(prompter.questions.first?.text == "\(SSHTestServer.user)@127.0.0.1's password: ")
    }
}
