import Foundation
import Shared
import Testing

@testable import Deployer

/// What is sent without waiting for an answer that says nothing, each of which would cost a round trip.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct SSHRoundTripTests {
    private let server: SSHTestServer
    private let relay: HoldingRelay

    init() async throws {
        // The sizes below are those of their packets.
        server = try await SSHTestServer.start(["Ciphers aes128-ctr", "MACs hmac-sha2-256"])
        relay = try HoldingRelay(to: server.port)
        try server.trustHostKeys(name: "[127.0.0.1]:\(relay.port)")
    }

    private var destination: Destination { server.destination(["-p", "\(relay.port)"]) }

    /// More than the request for the service, and so also the question about the key behind it.
    private let question = 150
    /// More than a signature's packet: a channel is opened behind it.
    private let signature = 300

    @Test func smallPacketsAreSentAtOnce() async throws {
        defer { relay.stop() }
        let target = TCPTarget(host: "127.0.0.1", port: UInt16(server.port), limit: .seconds(10))
        let socket = try await connectTCP(target, name: "server")
        defer { close(socket) }
        var isSet: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        #expect(getsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &isSet, &size) == 0)
        #expect(isSet != 0)
    }

    @Test func aKeyIsOfferedBeforeTheServiceIsGranted() async throws {
        defer { relay.stop() }
        relay.keepBack(onceSealed: true)
        async let remote = testConnector(.libssh2).connect(destination)
        try await relay.sent(question)
        relay.pass()
        #expect(try await remote.run(["echo", "in"]).text == "in\n")
        await (try remote).close()
    }

    @Test func aChannelIsOpenedBehindTheSignatureOfAKeyThatHasWorked() async throws {
        defer { relay.stop() }
        let connector = testConnector(.libssh2)
        try await connector.connect(destination).close()
        relay.keepBack(onceSealed: true)
        async let remote = connector.connect(destination)
        try await relay.sent(question)
        // That the service is granted, and that the key would do.
        try await relay.held(question)
        let before = relay.sentBytes
        relay.letOut()
        try await relay.sent(before + signature)
        relay.pass()
        #expect(try await remote.run(["echo", "in"]).text == "in\n")
        await (try remote).close()
    }

    @Test func aKeyThatIsNoLongerTakenIsRefusedAsSuch() async throws {
        defer { relay.stop() }
        let connector = testConnector(.libssh2)
        try await connector.connect(destination).close()
        try server.authorize([])
        await #expect {
            _ = try await connector.connect(destination)
        } throws: { error in
            if case SSHError.loginRefused = error { true } else { false }
        }
    }

    @Test func aCommandNeedsNoAnswerBeforeItIsSentOnceOthersHaveRun() async throws {
        defer { relay.stop() }
        let remote = try await testConnector(.libssh2).connect(destination)
        await remote.staysInUse(reaching: nil)
        let (near, far) = try socketPair()
        async let echo = remote.bridge(["cat"], socket: { far }) { _ in }
        // Twice: the second echo comes after the answer to what was sent before the first.
        for byte in [UInt8(1), 2] {
            let back = try await exchange(near, [byte])
            #expect(back == [byte])
        }
        let word = String(repeating: "x", count: 20_000)
        relay.keepBack(untilSent: word.utf8.count)
        async let result = remote.run(["echo", word])
        try await relay.sent(word.utf8.count)
        #expect(try await result.text == word + "\n")
        close(near)
        #expect(try await echo.exit.isSuccess)
        close(far)
        await remote.close()
    }

    @Test func aSocketThatWasAskedForNeedsNoAnswerBeforeItIsWrittenTo() async throws {
        defer { relay.stop() }
        let path = "\(server.folder)/s"
        let listener = try listenOnUnixSocket(path)
        defer { close(listener) }
        let remote = try await testConnector(.libssh2).connect(destination)
        await remote.staysInUse(reaching: path)
        // The second answer comes after that to what was sent behind the first command.
        for _ in 1...2 { #expect(try await remote.run(["true"]).exit.isSuccess) }
        let (near, far) = try socketPair()
        let bytes = [UInt8](repeating: 1, count: 20_000)
        #expect(bytes.withUnsafeBytes { write(near, $0.baseAddress, $0.count) } == bytes.count)
        relay.keepBack(untilSent: bytes.count)
        let end = Task { try await remote.forward(path, socket: { far }) { _ in } }
        try await relay.sent(bytes.count)
        close(near)
        end.cancel()
        _ = await end.result
        close(far)
        await remote.close()
    }

    @Test(arguments: ["MaxSessions 1", "ChannelTimeout session=1s"])
    func whatTheServerMakesOfAChannelAheadDoesNotShow(option: String) async throws {
        defer { relay.stop() }
        let server = try await server.restarted([option])
        let remote = try await testConnector(.libssh2).connect(server.destination(["-p", "\(relay.port)"]))
        await remote.staysInUse(reaching: nil)
        // Speaks for longer than a channel may be silent there.
        #expect(try await remote.run(["sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.5; done"]).exit.isSuccess)
        for number in 1...3 { #expect(try await remote.run(["echo", "\(number)"]).text == "\(number)\n") }
        await remote.close()
    }

    /// Writes, and reads as much back, on a thread of its own.
    private func exchange(_ descriptor: Int32, _ bytes: [UInt8]) async throws -> [UInt8] {
        let got = OneShot<[UInt8]>()
        Thread.detachNewThread {
            _ = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, noSignal) }
            var all: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            while all.count < bytes.count {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                if count <= 0 { break }
                all += buffer[..<count]
            }
            got.set(all)
        }
        return try await got.value(within: .seconds(120)) ?? []
    }
}
