import Foundation
import Shared
import Testing

@testable import Deployer

@Suite(.serialized, .timeLimit(.minutes(10)))
struct SSHConnectionTests {
    private static let both = [TransportChoice.libssh2, .openssh]

    private func works(_ destination: Destination, _ choice: TransportChoice) async throws {
        let remote = try await testConnector(choice).connect(destination)
        #expect(try await remote.run(["echo", "hello"]).text == "hello\n")
        await remote.close()
    }

    @Test(arguments: both)
    func aPortWhereNobodyListensIsUnreachable(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let port = try freePort()
        let error = await #expect(throws: SSHError.self) {
            try await testConnector(choice).connect(server.destination(["-p", "\(port)"]))
        }
        guard case .unreachable("127.0.0.1", let reasons)? = error else { throw TestFailure("\(error as Any)") }
        #expect(reasons.first?.contains("Connection refused") == true)
    }

    @Test(arguments: both)
    func aNameThatDoesNotExistIsUnreachable(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let error = await #expect(throws: SSHError.self) {
            try await testConnector(choice).connect(server.destination(host: "no-such-host.invalid"))
        }
        guard case .unreachable? = error else { throw TestFailure("\(error as Any)") }
    }

    @Test(arguments: both)
    func aServerThatNeverAnswersIsNamedInTime(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let silent = try SilentListener()
        let options = ["-p", "\(silent.port)", "-o", "ConnectTimeout=1"]
        let error = await #expect(throws: SSHError.self) {
            try await testConnector(choice).connect(server.destination(options))
        }
        guard case .timedOut("127.0.0.1", _, .seconds(1))? = error else { throw TestFailure("\(error as Any)") }
    }

    @Test(arguments: both)
    func waitingForASilentServerCanBeCancelled(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let silent = try SilentListener()
        let task = Task {
            _ = try await testConnector(choice).connect(server.destination(["-p", "\(silent.port)"]))
        }
        await silent.connected()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test(arguments: both)
    func addressesAreTriedOneAfterTheOther(choice: TransportChoice) async throws {
        // "localhost" is ::1 first on many machines; our sshd listens on 127.0.0.1 only.
        let server = try await SSHTestServer.start()
        try server.trustHostKeys(name: "[localhost]:\(server.port)")
        try await works(server.destination(host: "localhost"), choice)
    }

    @Test(arguments: both)
    func aProxyCommandIsTheWay(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let command = "ProxyCommand=ssh -F \(server.folder)/config -W %h:%p -l %r 127.0.0.1"
        try await works(server.destination(["-o", command]), choice)
    }

    @Test(arguments: both)
    func aProxyThatFailsSaysWhy(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let error = await #expect(throws: SSHError.self) {
            let options = ["-o", "ProxyCommand=echo the gate is shut >&2; exit 1"]
            return try await testConnector(choice).connect(server.destination(options))
        }
        if choice == .libssh2 {
            #expect(error == .unreachable(host: "127.0.0.1", reasons: ["the gate is shut"]))
        }
    }

    @Test(arguments: both, [1, 2])
    func jumpHostsAreTheWay(choice: TransportChoice, hops: Int) async throws {
        let server = try await SSHTestServer.start()
        // ssh refuses to jump through the host that it goes to, by name.
        try server.writeClientConfiguration(["Host hop1 hop2", "HostName 127.0.0.1", "Host *"])
        let jump = (1...hops).map { "\(SSHTestServer.user)@hop\($0):\(server.port)" }.joined(separator: ",")
        try await works(server.destination(["-J", jump]), choice)
    }

    @Test(arguments: both)
    func aKilledConnectionIsLost(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let remote = try await testConnector(choice).connect(server.destination())
        let process = try await remote.start(["sh", "-c", "echo $PPID; sleep 60"], input: [])
        let error = await #expect(throws: SSHError.self) {
            for try await piece in process.output {
                guard case .stdout(let bytes) = piece else { continue }
                try await killSession(of: trimmed(String(decoding: bytes, as: UTF8.self)), with: "KILL")
            }
            _ = try await process.exit()
        }
        guard case .lost("127.0.0.1", _)? = error else { throw TestFailure("\(error as Any)") }
        await #expect(throws: SSHError.self) { try await remote.run(["true"]) }
        await remote.close()
    }

    @Test(arguments: both)
    func aStalledPeerIsNamedWithinItsKeepalive(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let options = ["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2"]
        let remote = try await testConnector(choice).connect(server.destination(options))
        let process = try await remote.start(["sh", "-c", "echo $PPID; sleep 60"], input: [])
        var session = ""
        let start = ContinuousClock.now
        let error = await #expect(throws: SSHError.self) {
            for try await piece in process.output {
                guard case .stdout(let bytes) = piece else { continue }
                session = trimmed(String(decoding: bytes, as: UTF8.self))
                try await killSession(of: session, with: "STOP")
            }
            _ = try await process.exit()
        }
        guard case .lost("127.0.0.1", _)? = error else { throw TestFailure("\(error as Any)") }
        // What is usual would take 45 s.
        #expect(ContinuousClock.now - start < .seconds(40))
        await remote.close()
        try await killSession(of: session, with: "KILL")
    }

    @Test func anIdleConnectionAnswersTheServersQuestions() async throws {
        // The server asks after a second of silence, and would end it after four questions without an answer.
        let server = try await SSHTestServer.start([
            "ClientAliveInterval 1", "ClientAliveCountMax 4", "LogLevel DEBUG1",
        ])
        let options = ["-o", "ServerAliveInterval=6"]
        let remote = try await testConnector(.libssh2).connect(server.destination(options))
        try await server.log.wait(for: "for keepalive", times: 3)
        #expect(try await remote.run(["echo", "hello"]).text == "hello\n")
        await remote.close()
    }

    @Test func everyConnectIsALoginOfItsOwn() async throws {
        let server = try await SSHTestServer.start()
        for choice in Self.both {
            let connector = testConnector(choice)
            var ports: Set<String> = []
            for _ in 1...2 {
                let remote = try await connector.connect(server.destination())
                ports.insert(try await remote.run(["sh", "-c", "echo $SSH_CONNECTION"]).text)
                await remote.close()
            }
            #expect(ports.count == 2)
        }
    }

    /// The command's parent is the sshd process of its connection.
    private func killSession(of process: String, with signal: String) async throws {
        try await run(["kill", "-\(signal)", process])
    }
}

/// Takes connections and never says a word.
final class SilentListener: Sendable {
    let port: Int
    private let raw: Int32

    init() throws {
        raw = socket(AF_INET, streamSocket, 0)
        port = try freePort()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0, listen(raw, 5) == 0 else { throw SystemError("listen") }
    }

    deinit { close(raw) }

    /// Waits until somebody has connected.
    func connected() async {
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "listener").async { @Sendable [raw] in
                var descriptor = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
                _ = systemPoll(&descriptor, 1, 10_000)
                continuation.resume()
            }
        }
    }
}
