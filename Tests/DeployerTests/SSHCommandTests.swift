import Foundation
import Shared
import Synchronization
import Testing

@testable import Deployer

/// Bytes that look random and are the same every time.
func noise(_ count: Int) -> [UInt8] {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    return Array(unsafeUninitializedCapacity: count) { buffer, initialized in
        for index in 0..<count {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            buffer[index] = UInt8(truncatingIfNeeded: state)
        }
        initialized = count
    }
}

@Suite(.serialized, .timeLimit(.minutes(10)))
struct SSHCommandTests {
    private static let both = [TransportChoice.libssh2, .openssh]

    @Test func aSignalIsReportedAsSuch() async throws {
        let server = try await SSHTestServer.start()
        let remote = try await testConnector(.libssh2).connect(server.destination())
        #expect(try await remote.run(["sh", "-c", "kill -KILL $$"]).exit == .signal("KILL"))
        await remote.close()
    }

    @Test(
        .enabled("sshd has no ChannelTimeout before 9.2") {
            try await OpenSSHVersion.ofSystem(currentEnvironment()) >= .init(9, 2)
        })
    func aChannelThatClosesWithoutAWordIsNoSuccess() async throws {
        let server = try await SSHTestServer.start(["ChannelTimeout session:command=1s"])
        let remote = try await testConnector(.libssh2).connect(server.destination())
        #expect(try await remote.run(["sleep", "30"]).exit == .missing)
        await remote.close()
        // With OpenSSH the local ssh has a status of its own for that.
        let other = try await testConnector(.openssh).connect(server.destination())
        #expect(try await other.run(["sleep", "30"]).exit.isSuccess == false)
        await other.close()
    }

    @Test func everyExitStatusIsSeenAmongManyChannels() async throws {
        let server = try await SSHTestServer.start(["MaxSessions 40"])
        let remote = try await testConnector(.libssh2).connect(server.destination())
        let exits = try await withThrowingTaskGroup(of: (Int, RemoteExit).self) { group in
            for number in 0..<120 {
                group.addTask { (number, try await remote.run(["sh", "-c", "exit \(number % 3)"]).exit) }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for number in 0..<120 { #expect(exits[number] == .code(Int32(number % 3))) }
        await remote.close()
    }

    @Test func aSessionMayBeClosedUnderItsCommands() async throws {
        let server = try await SSHTestServer.start()
        for round in 1...5 {
            let remote = try await testConnector(.libssh2).connect(server.destination())
            let flowing = OneShot<Bool>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...6 {
                    group.addTask {
                        let input = number.isMultiple(of: 2) ? noise(4 << 20) : []
                        let script = "exec 3<&0; cat <&3 >/dev/null & yes"
                        let error = await #expect(throws: SSHError.self) {
                            let process = try await remote.start(["sh", "-c", script], input: input)
                            var pieces = 0
                            do {
                                for try await _ in process.output {
                                    pieces += 1
                                    if pieces == round * 3 { flowing.set(true) }
                                }
                            } catch {
                                // What is left of it may still be asked.
                                _ = try await process.exit()
                            }
                        }
                        guard case .lost? = error else { throw TestFailure("\(error as Any)") }
                    }
                }
                #expect(try await flowing.value(within: .seconds(120)) == true)
                await remote.close()
                try await group.waitForAll()
            }
        }
    }

    @Test(arguments: both)
    func aStatusOf255IsTheCommandsOwn(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let remote = try await testConnector(choice).connect(server.destination())
        #expect(try await remote.run(["sh", "-c", "exit 255"]).exit == .code(255))
        await remote.close()
    }

    @Test(arguments: both)
    func muchOutputComesBackWholeFromBothStreams(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let bytes = noise(50 << 20)
        let file = "\(server.folder)/noise"
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        let remote = try await testConnector(choice).connect(server.destination())
        let result = try await remote.run(["sh", "-c", "cat \(file) >&2 & cat \(file); wait"], limit: 64 << 20)
        #expect(result.exit.isSuccess)
        #expect(result.output == bytes)
        #expect(result.errorOutput == bytes)
        await remote.close()
    }

    @Test(arguments: both)
    func muchInputArrivesWhole(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let bytes = noise(50 << 20)
        let remote = try await testConnector(choice).connect(server.destination())
        // `tee` answers as fast as it is told: neither side may wait for the other.
        let result = try await remote.run(["tee", "/dev/null"], input: bytes, limit: 64 << 20)
        #expect(result.output == bytes)
        await remote.close()
    }

    @Test(arguments: both)
    func aCommandNeedNotReadItsInput(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let remote = try await testConnector(choice).connect(server.destination())
        let result = try await remote.run(["sh", "-c", "exec <&-; echo done"], input: noise(8 << 20))
        #expect(result.text == "done\n")
        await remote.close()
    }

    @Test(arguments: both, [10, 1])
    func twentyCommandsRunSideBySide(choice: TransportChoice, maxSessions: Int) async throws {
        let server = try await SSHTestServer.start(["MaxSessions \(maxSessions)"])
        // None ends before all have begun.
        let meeting = "\(server.folder)/meeting"
        try FileManager.default.createDirectory(atPath: meeting, withIntermediateDirectories: true)
        let wait = "until [ \"$(ls \(meeting) | wc -l)\" -ge 20 ]; do sleep 0.05; done"
        let remote = try await testConnector(choice).connect(server.destination())
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
            for number in 1...20 {
                let text = ": >\(meeting)/\(number); \(wait); echo \(number)"
                group.addTask { try await remote.run(["sh", "-c", text]).text }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(answers == Set((1...20).map { "\($0)\n" }))
        // What the server refused went over further logins; one after the other needs none.
        let logins = server.log.count("Accepted publickey")
        #expect(logins > 1)
        for number in 1...5 { #expect(try await remote.run(["echo", "\(number)"]).text == "\(number)\n") }
        #expect(server.log.count("Accepted publickey") == logins)
        await remote.close()
    }

    @Test(arguments: both)
    func aCancelledCommandIsLeftAndTheConnectionGoesOn(choice: TransportChoice) async throws {
        let server = try await SSHTestServer.start()
        let remote = try await testConnector(choice).connect(server.destination())
        let started = OneShot<Bool>()
        let task = Task {
            let process = try await remote.start(["sh", "-c", "echo started; sleep 60"], input: [])
            for try await _ in process.output { started.set(true) }
            return try await process.exit()
        }
        _ = try await started.value(within: .seconds(120))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await remote.run(["echo", "still here"]).text == "still here\n")
        await remote.close()
    }

    @Test func theLoopMayBeLeftEarly() async throws {
        let server = try await SSHTestServer.start(["MaxSessions 1"])
        let remote = try await testConnector(.libssh2).connect(server.destination())
        let process = try await remote.start(["sh", "-c", "echo one; echo two; sleep 60"], input: [])
        for try await piece in process.output where piece.count > 0 { break }
        #expect(try await remote.run(["echo", "other"]).text == "other\n")
        await remote.close()
    }

    @Test(arguments: both, [[], ["-C"]])
    func aBridgeCarriesBytesBothWaysUnchanged(choice: TransportChoice, options: [String]) async throws {
        let server = try await SSHTestServer.start()
        let remote = try await testConnector(choice).connect(server.destination(options))
        #expect(await remote.isCompressed == !options.isEmpty)
        let (near, far) = try socketPair()
        defer { close(near) }
        // What compresses and what does not, so that neither fits into the other's buffers.
        let mixed = [UInt8](repeating: 7, count: 5_000_001) + noise(4 << 20) + [UInt8](repeating: 8, count: 300_000)
        let bytes = options.isEmpty ? noise(64 << 20) : mixed + mixed
        let counted = Atomic(0)
        async let result = remote.bridge(["sh", "-c", "echo note >&2; cat"], socket: { far }) { count in
            counted.add(count, ordering: .relaxed)
        }
        async let back = echo(bytes, through: near)
        #expect(try await back == bytes)
        let ended = try await result
        close(far)
        #expect(ended.exit.isSuccess)
        #expect(ended.errorText == "note")
        #expect(counted.load(ordering: .relaxed) == bytes.count)
        await remote.close()
    }

    /// A Unix socket in the server's folder, and what to do with each connection.
    private func listen(_ path: String, _ work: @escaping @Sendable (Int32) -> Void) throws -> Int32 {
        let listener = try listenOnUnixSocket(path)
        DispatchQueue(label: "listener").async { @Sendable in
            while case let connection = accept(listener, nil, nil), connection >= 0 {
                work(connection)
                close(connection)
            }
        }
        return listener
    }

    /// Also where the server allows but one session: a forwarded socket is none.
    @Test(arguments: [[], ["-C"]], [true, false])
    func aForwardedSocketCarriesBytesBothWaysUnchanged(options: [String], isAhead: Bool) async throws {
        let server = try await SSHTestServer.start(["MaxSessions 1"])
        let path = "\(server.folder)/it's listening"
        let connections = Atomic(0)
        let listener = try listen(path) { connection in
            connections.add(1, ordering: .relaxed)
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while case let count = recv(connection, &buffer, buffer.count, 0), count > 0 {
                _ = buffer[..<count].withUnsafeBytes { write(connection, $0.baseAddress, $0.count) }
            }
        }
        defer { shutdown(listener, Int32(SHUT_RDWR)) }
        let remote = try await testConnector(.libssh2).connect(server.destination(options))
        let (near, far) = try socketPair()
        defer { for end in [near, far] { close(end) } }
        let bytes = noise(16 << 20)
        let counted = Atomic(0)
        // What was reached ahead is what is taken; a connection that was made again would be there too.
        if isAhead { #expect(try await remote.reaches(path)) }
        let end = Task {
            defer { shutdown(far, Int32(SHUT_WR)) }
            return try await remote.forward(path, socket: { far }) { counted.add($0, ordering: .relaxed) }
        }
        async let back = echo(bytes, through: near)
        #expect(try await remote.run(["echo", "beside"]).text == "beside\n")
        #expect(try await back == bytes)
        #expect(try await end.value == .closed)
        #expect(counted.load(ordering: .relaxed) == bytes.count)
        #expect(connections.load(ordering: .relaxed) == 1)
        #expect(try await remote.run(["echo", "after"]).text == "after\n")
        await remote.close()
        #expect(server.log.count("Accepted publickey") == 1)
    }

    @Test func whatTheNodeClosesFirstIsKnownAsSuch() async throws {
        let server = try await SSHTestServer.start()
        let path = "\(server.folder)/s"
        let listener = try listen(path) { connection in _ = write(connection, "bye", 3) }
        defer { shutdown(listener, Int32(SHUT_RDWR)) }
        let remote = try await testConnector(.libssh2).connect(server.destination())
        try await expectGoodbye(path, remote)
        await remote.close()
    }

    private func expectGoodbye(_ path: String, _ remote: any Remote) async throws {
        let (near, far) = try socketPair()
        defer { for end in [near, far] { close(end) } }
        #expect(try await remote.forward(path, socket: { far }) { _ in } == .closedByNode)
        var buffer = [UInt8](repeating: 0, count: 8)
        #expect(recv(near, &buffer, 8, 0) == 3)
    }

    /// As where the daemon was started anew since.
    @Test func whatWasReachedAheadAndHasEndedIsConnectedAnew() async throws {
        let server = try await SSHTestServer.start()
        let path = "\(server.folder)/s"
        let connections = Atomic(0)
        let hasEnded = OneShot<Bool>()
        let listener = try listen(path) { connection in
            if connections.add(1, ordering: .relaxed).newValue > 1 { _ = write(connection, "bye", 3) }
            shutdown(connection, Int32(SHUT_RDWR))
            hasEnded.set(true)
        }
        defer { shutdown(listener, Int32(SHUT_RDWR)) }
        let remote = try await testConnector(.libssh2).connect(server.destination())
        #expect(try await remote.reaches(path))
        #expect(try await hasEnded.value(within: .seconds(120)) == true)
        // The server sees that end before a command's.
        #expect(try await remote.run(["true"]).exit.isSuccess)
        try await expectGoodbye(path, remote)
        await remote.close()
    }

    @Test(arguments: [["AllowStreamLocalForwarding no"], []])
    func aSocketThatCannotBeReachedIsRefusedAndCommandsGoOn(options: [String]) async throws {
        let server = try await SSHTestServer.start(options)
        let path = "\(server.folder)/s"
        // Without the option nobody listens there.
        if !options.isEmpty { close(try listenOnUnixSocket(path)) }
        let remote = try await testConnector(.libssh2).connect(server.destination())
        for _ in 1...2 {
            let end = try await remote.forward(path) {
                Issue.record("nothing is connected")
                return -1
            } onBytes: { _ in
            }
            #expect(end == .refused)
            #expect(try await !remote.reaches(path))
        }
        #expect(try await remote.run(["echo", "hello"]).text == "hello\n")
        await remote.close()
    }

    /// Writes, closes that direction, and reads to the end, on threads of its own.
    private func echo(_ bytes: [UInt8], through descriptor: Int32) async throws -> [UInt8] {
        DispatchQueue(label: "writer").async { @Sendable in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, min($0.count, 1 << 20), noSignal) }
                if count <= 0 { break }
                rest = rest.dropFirst(count)
            }
            shutdown(descriptor, Int32(SHUT_WR))
        }
        let got = OneShot<[UInt8]>()
        DispatchQueue(label: "reader").async { @Sendable in
            var all: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                if count <= 0 { break }
                all += buffer[..<count]
            }
            got.set(all)
        }
        return try await got.value(within: .seconds(120)) ?? []
    }

    @Test func newKeysInTheMiddleOfATransferDoNoHarm() async throws {
        let server = try await SSHTestServer.start(["RekeyLimit 1M"])
        let remote = try await testConnector(.libssh2).connect(server.destination())
        let bytes = noise(20 << 20)
        async let other = remote.run(["sh", "-c", "sleep 0.1; echo other"])
        let result = try await remote.run(["cat"], input: bytes, limit: 64 << 20)
        #expect(result.output == bytes)
        #expect(try await other.text == "other\n")
        await remote.close()
    }

    @Test func aServerWithNixOSsListsIsReachedOneWayOrTheOther() async throws {
        let server = try await SSHTestServer.start([
            "Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,"
                + "aes256-ctr,aes192-ctr,aes128-ctr",
            "MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com,umac-128-etm@openssh.com",
            "KexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org,"
                + "diffie-hellman-group-exchange-sha256",
        ])
        let log = TestLog()
        let connector = testConnector(log: log)
        for _ in 1...2 {
            let remote = try await connector.connect(server.destination())
            #expect(try await remote.run(["echo", "hello"]).text == "hello\n")
            await remote.close()
        }
        if LibSSH2.version == "1.10.0" {
            // The second login knows already.
            #expect(log.lines.filter { $0.contains("over libssh2") }.count == 1)
            #expect(log.lines.filter { $0.contains("over the system's ssh: libssh2 and the server") }.count == 2)
            await #expect(throws: SSHError.self) { try await testConnector(.libssh2).connect(server.destination()) }
        } else {
            #expect(!log.lines.contains { $0.contains("over the system's ssh") })
        }
    }
}
