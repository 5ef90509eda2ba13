import Foundation
import Shared
import Testing

@testable import Deployer

@Suite(
    .serialized, .timeLimit(.minutes(10)),
    .enabled(if: SSHPasswordServer.obstacle == nil, "\(SSHPasswordServer.obstacle ?? "")"))
struct SSHAskpassTests {
    private static let both = [TransportChoice.libssh2, .openssh]
    private static let password = SSHPasswordServer.password

    private func logIn(_ connector: SSHConnector, _ destination: Destination) async throws {
        let remote = try await connector.connect(destination)
        #expect(try await remote.run(["echo", "hello"]).text == "hello\n")
        await remote.close()
    }

    @Test(arguments: both, SSHPasswordServer.Method.allCases)
    func aTypedAnswerIsThereForTheNextLogin(choice: TransportChoice, method: SSHPasswordServer.Method) async throws {
        let server = try await SSHPasswordServer.start(method)
        let prompter = TestPrompter(["wrong", Self.password])
        let connector = testConnector(choice, prompter: prompter)
        for _ in 1...3 { try await logIn(connector, server.destination()) }
        #expect(prompter.questions.count == 2)
        #expect(!prompter.questions.contains { !$0.isSecret })
        #expect(server.log.count("Accepted \(method.rawValue)") == 3)
        // The first attempt asked nothing of anybody; the wrong answer is the only failure, also of the later logins.
        #expect(server.log.count("Failed \(method.rawValue)") == 1)
    }

    @Test(arguments: both)
    func whereNobodyAnswersNoPasswordIsTried(choice: TransportChoice) async throws {
        let server = try await SSHPasswordServer.start(.password)
        let connector = testConnector(choice, prompter: MutePrompter())
        let error = await #expect(throws: SSHError.self) { try await connector.connect(server.destination()) }
        guard case .loginRefused(_, let tried)? = error else { throw TestFailure("\(error as Any)") }
        #expect(tried.joined().contains("password"))
        #expect(server.log.count("Failed password") == 0)
    }

    @Test func thePasswordShowsInNoProcess() async throws {
        let server = try await SSHPasswordServer.start(.password)
        let remote = try await testConnector(.openssh, prompter: TestPrompter([Self.password]))
            .connect(server.destination())
        let children = try await run(["pgrep", "-P", "\(getpid())"]).split(separator: "\n")
        #expect(!children.isEmpty)
        for child in children {
            for file in ["cmdline", "environ"] {
                // One that has just ended shows nothing either.
                let bytes = readFile("/proc/\(child)/\(file)") ?? []
                #expect(!String(decoding: bytes, as: UTF8.self).contains(Self.password))
            }
        }
        await remote.close()
    }

    @Test(arguments: both)
    func aHostOnTheWayAsksOnce(choice: TransportChoice) async throws {
        let gate = try await SSHPasswordServer.start(.password)
        let server = try await SSHTestServer.start()
        let files = "\(server.folder)/known_hosts"
        try write(
            String(contentsOfFile: files, encoding: .utf8)
                + String(contentsOfFile: "\(gate.folder)/known_hosts", encoding: .utf8), to: files)
        try server.writeClientConfiguration(["Host gate", "HostName 127.0.0.1", "Port \(gate.port)", "Host *"])
        let prompter = TestPrompter([Self.password])
        let connector = testConnector(choice, prompter: prompter)
        for _ in 1...2 { try await logIn(connector, server.destination(["-J", "\(SSHTestServer.user)@gate"])) }
        #expect(prompter.questions.map(\.text) == ["\(SSHTestServer.user)@127.0.0.1's password: "])
    }

    @Test(arguments: both)
    func aHostOnTheWayThatIsNotAnsweredIsNamed(choice: TransportChoice) async throws {
        let gate = try await SSHPasswordServer.start(.password)
        let server = try await SSHTestServer.start()
        try server.writeClientConfiguration([
            "Host gate", "HostName 127.0.0.1", "Port \(gate.port)", "UserKnownHostsFile \(gate.folder)/known_hosts",
            "Host *",
        ])
        let connector = testConnector(choice, prompter: MutePrompter())
        let error = await #expect(throws: SSHError.self) {
            try await connector.connect(server.destination(["-J", "\(SSHTestServer.user)@gate"]))
        }
        #expect(error?.description.contains("no answer to \"\(SSHTestServer.user)@127.0.0.1's password:\"") == true)
        #expect(gate.log.count("Failed password") == 0)
    }
}

@Suite(.serialized, .timeLimit(.minutes(10)))
struct SSHAskpassKeyTests {
    @Test func aPassphraseIsAskedForOnceForAllServers() async throws {
        let first = try await SSHTestServer.start()
        let second = try await SSHTestServer.start()
        let key = "\(first.folder)/locked"
        try await makeKey(key, type: "ed25519", passphrase: "correct horse")
        let prompter = TestPrompter(["wrong", "correct horse"])
        let connector = testConnector(.openssh, prompter: prompter)
        for server in [first, second] { try server.authorize([key]) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for server in [first, second, first, second] {
                group.addTask {
                    let options = ["-o", "IdentitiesOnly=yes", "-i", key]
                    let remote = try await connector.connect(server.destination(options))
                    #expect(try await remote.run(["true"]).exit.isSuccess)
                    await remote.close()
                }
            }
            try await group.waitForAll()
        }
        #expect(prompter.questions.map(\.text) == Array(repeating: "Enter passphrase for key '\(key)': ", count: 2))
    }

    @Test func aServersQuestionGetsNoAnswerThatWasMeantForAnother() async throws {
        let memory = LoginMemory()
        let prompter = TestPrompter(["mine", "gate's", "another port's", "other gate's", "older"])
        func answers(
            _ host: String, port: UInt16 = 22, by way: String = "gate", _ version: OpenSSHVersion = .init(9, 2)
        )
            -> AskpassAnswers
        {
            var configuration = SSHConfiguration(originalHost: host, hostName: host, user: "me")
            configuration.port = port
            configuration.proxyJump = way
            let answers = AskpassAnswers(
                configuration: configuration, version: version, source: .person, memory: memory, prompter: prompter
            ) { _ in }
            answers.belong(to: 1)
            return answers
        }
        func text(_ answers: AskpassAnswers, _ question: AskpassQuestion) async -> String? {
            await answers.answer(question).map { String(decoding: $0.bytes, as: UTF8.self) }
        }
        let own = AskpassQuestion(text: "me@a's password: ", hint: "", asker: 1)
        let onTheWay = AskpassQuestion(text: "me@a's password: ", hint: "", asker: 2)
        #expect(await text(answers("a"), own) == "mine")
        #expect(await text(answers("a"), onTheWay) == "gate's")
        #expect(await text(answers("a", port: 2222), own) == "another port's")
        #expect(await text(answers("b"), onTheWay) == "gate's")
        #expect(await text(answers("b", by: "other"), onTheWay) == "other gate's")
        // An older ssh shows a server's words as they are: they may be anybody's.
        #expect(await text(answers("b", .init(8, 4)), onTheWay) == "older")
        #expect(await text(answers("a"), own) == "mine")
    }

    @Test(arguments: [
        ("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19", OpenSSHVersion(9, 2)), ("OpenSSH_10.0", .init(10, 0)),
        ("OpenSSH_for_Windows_8.1p1", nil), ("", nil),
    ])
    func theVersionIsRead(text: String, expected: OpenSSHVersion?) { #expect(OpenSSHVersion(text) == expected) }

    @Test func aQuestionSurvivesItsWay() {
        let question = AskpassQuestion(text: "Enter passphrase for key '/a b': ", hint: "confirm", asker: 4711)
        #expect(AskpassQuestion(question.bytes) == question)
        #expect(question.keyFile == "/a b")
        for count in 0..<question.bytes.count { #expect(AskpassQuestion(Array(question.bytes[..<count])) == nil) }
    }
}
