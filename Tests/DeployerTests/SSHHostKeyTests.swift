import Foundation
import Shared
import Testing

@testable import Deployer

@Suite(.serialized, .timeLimit(.minutes(10)))
struct SSHHostKeyTests {
    private func logIn(
        _ server: SSHTestServer, _ choice: TransportChoice = .libssh2, strict: String,
        prompter: TestPrompter = TestPrompter(), _ more: [String] = []
    ) async throws {
        let options = more + ["-o", "StrictHostKeyChecking=\(strict)"]
        let remote = try await testConnector(choice, prompter: prompter).connect(server.destination(options))
        #expect(try await remote.run(["true"]).exit.isSuccess)
        await remote.close()
    }

    private func knownHosts(_ server: SSHTestServer) throws -> String {
        try String(contentsOfFile: "\(server.folder)/known_hosts", encoding: .utf8)
    }

    @Test(arguments: [TransportChoice.libssh2, .openssh])
    func anUnknownHostIsRefused(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        try server.trustHostKeys([])
        let error = await #expect(throws: SSHError.self) { try await logIn(server, choice, strict: "yes") }
        guard case .hostKeyUnknown? = error else { throw TestFailure("\(error as Any)") }
    }

    @Test func theRefusalNamesTheKeyAndTheCommand() async throws {
        let server = try await SSHTestServer.start()
        try server.trustHostKeys([])
        let error = await #expect(throws: SSHError.self) { try await logIn(server, strict: "ask") }
        guard case .hostKeyUnknown(_, let fingerprint, let hint)? = error else { throw TestFailure("\(error as Any)") }
        let shown = try await run(["ssh-keygen", "-lf", "\(server.folder)/host_ed25519.pub"])
        #expect(fingerprint == "ED25519 " + shown.split(separator: " ")[1])
        #expect(hint.hasSuffix("ssh-keyscan -p \(server.port) 127.0.0.1 >> \(server.folder)/known_hosts"))
    }

    @Test(arguments: [false, true])
    func acceptNewRemembersAHostOnce(isHashed: Bool) async throws {
        let server = try await SSHTestServer.start()
        try write("other.example ssh-ed25519 AAAA", to: "\(server.folder)/known_hosts")
        let options = ["-o", "HashKnownHosts=\(isHashed ? "yes" : "no")"]
        for _ in 1...2 { try await logIn(server, strict: "accept-new", options) }
        let lines = try knownHosts(server).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[1].hasPrefix(isHashed ? "|1|" : "[127.0.0.1]:\(server.port) ssh-ed25519 "))
        try await logIn(server, strict: "yes")
    }

    @Test(arguments: [TransportChoice.libssh2, .openssh], ["no", "accept-new"])
    func aNewHostIsLetInAndRememberedWithoutAQuestion(choice: TransportChoice, strict: String) async throws {
        let server = try await SSHTestServer.start()
        try server.trustHostKeys([])
        try await logIn(server, choice, strict: strict)
        try await logIn(server, choice, strict: "yes")
    }

    @Test func theQuestionIsOursOverTheSystemsSSHToo() async throws {
        let server = try await SSHTestServer.start()
        try server.trustHostKeys([])
        let prompter = TestPrompter(["yes"])
        for _ in 1...2 { try await logIn(server, .openssh, strict: "ask", prompter: prompter) }
        #expect(prompter.questions.count == 1)
        #expect(prompter.questions.first?.isSecret == false)
        try server.trustHostKeys([])
        let error = await #expect(throws: SSHError.self) {
            try await logIn(server, .openssh, strict: "ask", prompter: TestPrompter(["no"]))
        }
        guard case .hostKeyUnknown? = error else { throw TestFailure("\(error as Any)") }
    }

    @Test func aFileThatDoesNotExistIsMadeForItsOwnerOnly() async throws {
        let server = try await SSHTestServer.start()
        let file = "\(server.folder)/new/known_hosts"
        try await logIn(server, strict: "accept-new", ["-o", "UserKnownHostsFile=\(file)"])
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test(arguments: ["yes", "fingerprint"])
    func theQuestionIsAskedAndTheAnswerRemembered(answer: String) async throws {
        let server = try await SSHTestServer.start()
        try server.trustHostKeys([])
        let shown = try await run(["ssh-keygen", "-lf", "\(server.folder)/host_ed25519.pub"])
        let word = answer == "yes" ? "yes" : String(shown.split(separator: " ")[1])
        let prompter = TestPrompter([word])
        for _ in 1...2 { try await logIn(server, strict: "ask", prompter: prompter) }
        #expect(prompter.questions.count == 1)
        #expect(prompter.questions.first?.isSecret == false)
    }

    @Test func aNoToTheQuestionIsARefusal() async throws {
        let server = try await SSHTestServer.start()
        try server.trustHostKeys([])
        await #expect(throws: SSHError.self) {
            try await logIn(server, strict: "ask", prompter: TestPrompter(["no"]))
        }
        let text = try knownHosts(server)
        #expect(text.isEmpty)
    }

    @Test(arguments: [TransportChoice.libssh2, .openssh], ["yes", "accept-new", "ask"])
    func aChangedKeyIsRefusedWithTheLineThatIsWrong(choice: TransportChoice, strict: String) async throws {
        let server = try await SSHTestServer.start()
        try await makeKey("\(server.folder)/host_wrong", type: "ed25519")
        try server.trustHostKeys(["wrong"])
        try write("# a comment\n" + knownHosts(server), to: "\(server.folder)/known_hosts")
        let prompter = TestPrompter(["yes"])
        let error = await #expect(throws: SSHError.self) {
            try await logIn(server, choice, strict: strict, prompter: prompter)
        }
        guard case .hostKeyChanged(_, let fingerprint, let place)? = error else { throw TestFailure("\(error as Any)") }
        #expect(place == "\(server.folder)/known_hosts:2")
        #expect(fingerprint.contains("SHA256:"))
        #expect(prompter.questions.isEmpty)
    }

    @Test func aKeyOfAnotherTypeIsNotNewToAcceptNew() async throws {
        let server = try await SSHTestServer.start(["HostKeyAlgorithms ssh-ed25519"])
        try server.trustHostKeys(["ecdsa"])
        let error = await #expect(throws: SSHError.self) { try await logIn(server, strict: "accept-new") }
        guard case .hostKeyChanged? = error else { throw TestFailure("\(error as Any)") }
    }

    @Test(arguments: ["ed25519", "ecdsa"])
    func theKnownTypeIsOfferedFirst(type: String) async throws {
        let server = try await SSHTestServer.start()
        try server.trustHostKeys([type])
        try await logIn(server, strict: "yes")
    }

    @Test func aHashedNameIsFound() async throws {
        let server = try await SSHTestServer.start()
        try await run(["ssh-keygen", "-q", "-H", "-f", "\(server.folder)/known_hosts"])
        let text = try knownHosts(server)
        #expect(text.hasPrefix("|1|"))
        try await logIn(server, strict: "yes")
    }

    @Test func anAliasOrTheNameWithoutItsPortIsFound() async throws {
        let server = try await SSHTestServer.start()
        try server.trustHostKeys(["ed25519"], name: "web1")
        try await logIn(server, strict: "yes", ["-o", "HostKeyAlias=web1"])
        try server.trustHostKeys(["ed25519"], name: "127.0.0.*")
        try await logIn(server, strict: "yes")
    }

    @Test(arguments: [TransportChoice.libssh2, .openssh])
    func aRevokedKeyIsRefused(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        try server.trustHostKeys(["ed25519"])
        let good = try knownHosts(server)
        try server.trustHostKeys(["ed25519"], name: "*", mark: "@revoked ")
        try write(good + knownHosts(server), to: "\(server.folder)/known_hosts")
        let error = await #expect(throws: SSHError.self) { try await logIn(server, choice, strict: "accept-new") }
        guard case .hostKeyRevoked? = error else { throw TestFailure("\(error as Any)") }
    }

    @Test func aHostKnownByAnAuthorityGoesThroughTheSystemsSSH() async throws {
        let server = try await SSHTestServer.start()
        let authority = "\(server.folder)/host_authority"
        try await makeKey(authority, type: "ed25519")
        try await run(
            ["ssh-keygen", "-q", "-h", "-s", authority, "-I", "node", "-n", "127.0.0.1"]
                + ["\(server.folder)/host_ed25519.pub"])
        try server.trustHostKeys(["authority"], mark: "@cert-authority ")
        let restarted = try await server.restarted(["HostCertificate \(server.folder)/host_ed25519-cert.pub"])
        // Its plain key, where it is known, will do.
        let plain = "\(server.folder)/plain"
        let key = try String(contentsOfFile: "\(server.folder)/host_ed25519.pub", encoding: .utf8)
        try write("[127.0.0.1]:\(server.port) \(key)", to: plain)
        try await logIn(restarted, strict: "yes", ["-o", "UserKnownHostsFile=\(plain)"])
        let log = TestLog()
        let remote = try await testConnector(log: log).connect(restarted.destination())
        #expect(try await remote.run(["true"]).exit.isSuccess)
        await remote.close()
        #expect(log.lines.contains { $0.contains("certificate authority") })
    }
}
