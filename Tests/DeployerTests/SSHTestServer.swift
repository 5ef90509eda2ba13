import Foundation
import Shared
import Synchronization

@testable import Deployer

/// An sshd of our own on 127.0.0.1, with its own keys, for the account that runs the tests.
final class SSHTestServer: Sendable {
    let folder: String
    let port: Int
    let log: ServerLog
    private let isolation: [String]
    private let process: Mutex<LocalProcess?>

    static let user = LocalAccount(environment: currentEnvironment()).name

    private init(folder: String, port: Int, isolation: [String], process: LocalProcess, log: ServerLog) {
        self.folder = folder
        self.port = port
        self.isolation = isolation
        self.log = log
        self.process = Mutex(process)
    }

    deinit { stop() }

    /// Ends the server with all its connections, and removes its folder.
    func stop() {
        process.withLock { process in
            process?.signal(SIGKILL)
            process = nil
        }
        // An agent that is just ending takes its socket away meanwhile, and the removal stops at that.
        for _ in 1...3 where (try? FileManager.default.removeItem(atPath: folder)) != nil { break }
    }

    /// - Parameters:
    ///   - options: further lines of its configuration, which come first and so win
    ///   - isolation: words in front of sshd's own, given its folder
    static func start(
        _ options: [String] = [], isolation: (String) throws -> [String] = { _ in [] }
    ) async throws -> SSHTestServer {
        let folder = try makeScratchFolder()
        for type in ["ed25519", "ecdsa"] { try await makeKey("\(folder)/host_\(type)", type: type) }
        try await makeKey("\(folder)/id_ed25519", type: "ed25519")
        try await run(["cp", "\(folder)/id_ed25519.pub", "\(folder)/authorized_keys"])
        if getuid() == 0 { mkdir("/run/sshd", 0o755) }
        let port = try freePort()
        let lines =
            options + [
                "Port \(port)", "ListenAddress 127.0.0.1", "HostKey \(folder)/host_ed25519",
                "HostKey \(folder)/host_ecdsa", "AuthorizedKeysFile \(folder)/authorized_keys", "UsePAM no",
                "StrictModes no", "PidFile none", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
                "PermitRootLogin yes",
                "MaxStartups 100", "LogLevel VERBOSE",
                // At its second level bash leaves the account's own .bashrc alone, which may take any time.
                "SetEnv SHLVL=1",
            ]
        try write(lines.joined(separator: "\n") + "\n", to: "\(folder)/sshd_config")
        let isolation = try isolation(folder)
        let log = ServerLog()
        let process = try await launch(folder, isolation, log)
        let server = SSHTestServer(folder: folder, port: port, isolation: isolation, process: process, log: log)
        try server.writeClientConfiguration()
        try server.trustHostKeys()
        return server
    }

    private static func launch(_ folder: String, _ isolation: [String], _ log: ServerLog) async throws -> LocalProcess {
        let program = locateProgram("sshd", path: "/usr/sbin:/usr/bin:/run/current-system/sw/bin") ?? "sshd"
        var command = LocalCommand(isolation + [program, "-D", "-e", "-f", "\(folder)/sshd_config"])
        command.grouping = .ownSession
        let before = log.count("Server listening on")
        let process = try LocalProcess.start(command) { @Sendable _, bytes in log.add(bytes) }
        try await log.wait(for: "Server listening on", times: before + 1)
        return process
    }

    /// The same server, with its keys, after a restart with further lines of configuration.
    func restarted(_ options: [String]) async throws -> SSHTestServer {
        let path = "\(folder)/sshd_config"
        try write(options.joined(separator: "\n") + "\n" + String(contentsOfFile: path, encoding: .utf8), to: path)
        let old = process.withLock { $0 }
        old?.signal(SIGKILL)
        _ = await old?.exit()
        let new = try await Self.launch(folder, isolation, log)
        process.withLock { $0 = new }
        return self
    }

    /// The client's whole configuration: nothing of the account's own is read.
    func writeClientConfiguration(_ more: [String] = []) throws {
        let lines = [
            "Host *", "Port \(port)", "UserKnownHostsFile \(folder)/known_hosts", "GlobalKnownHostsFile /dev/null",
            "IdentityAgent none", "IdentityFile \(folder)/id_ed25519", "StrictHostKeyChecking yes", "LogLevel ERROR",
        ]
        try write((more + lines).joined(separator: "\n") + "\n", to: "\(folder)/config")
    }

    /// Writes known_hosts with these of the server's keys.
    func trustHostKeys(_ types: [String] = ["ed25519", "ecdsa"], name: String? = nil, mark: String = "") throws {
        let lines = try types.map { type in
            let key = try String(contentsOfFile: "\(folder)/host_\(type).pub", encoding: .utf8)
            let fields = key.split(separator: " ")
            return "\(mark)\(name ?? "[127.0.0.1]:\(port)") \(fields[0]) \(fields[1])\n"
        }
        try write(lines.joined(), to: "\(folder)/known_hosts")
    }

    func authorize(_ keys: [String]) throws {
        let texts = try keys.map { try String(contentsOfFile: "\($0).pub", encoding: .utf8) }
        try write(texts.joined(), to: "\(folder)/authorized_keys")
    }

    func destination(_ options: [String] = [], host: String = "127.0.0.1") -> Destination {
        Destination(host: host, user: Self.user, options: ["-F", "\(folder)/config"] + options)
    }
}

/// What a server has logged so far.
final class ServerLog: Sendable {
    private struct State {
        var text = ""
        var waiters: [(word: String, times: Int, ready: OneShot<Bool>)] = []
    }
    private let state = Mutex(State())

    func add(_ bytes: [UInt8]) {
        let ready = state.withLock { state in
            state.text += String(decoding: bytes, as: UTF8.self)
            return state.waiters.filter { count($0.word, in: state.text) >= $0.times }.map(\.ready)
        }
        for one in ready { one.set(true) }
    }

    /// How often these words are in it.
    func count(_ words: String) -> Int { state.withLock { count(words, in: $0.text) } }

    /// Waits until the server has logged these words so many times.
    func wait(for words: String, times: Int = 1) async throws {
        let ready = OneShot<Bool>()
        let isThere = state.withLock { state in
            state.waiters.append((words, times, ready))
            return count(words, in: state.text) >= times
        }
        if isThere { return }
        guard try await ready.value(within: .seconds(120)) == true else {
            throw TestFailure(state.withLock { $0.text })
        }
    }

    private func count(_ words: String, in text: String) -> Int { text.components(separatedBy: words).count - 1 }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Answers questions from a table, and notes what was asked.
final class TestPrompter: Prompter {
    let terminal = AsyncLock()
    private let answers: Mutex<[String]>
    private let asked = Mutex<[Question]>([])

    init(_ answers: [String] = []) { self.answers = Mutex(answers) }

    var canAsk: Bool { !answers.withLock { $0.isEmpty } }
    var questions: [Question] { asked.withLock { $0 } }

    func askNow(_ question: Question) async throws -> Secret? {
        asked.withLock { $0.append(question) }
        return answers.withLock { $0.isEmpty ? nil : Secret(Array($0.removeFirst().utf8)) }
    }
}

/// Somebody who is there and never answers.
struct MutePrompter: Prompter {
    let terminal = AsyncLock()
    var canAsk: Bool { true }
    func askNow(_ question: Question) async throws -> Secret? { nil }
}

/// Keeps debug lines.
final class TestLog: Sendable {
    private let kept = Mutex<[String]>([])
    var lines: [String] { kept.withLock { $0 } }
    func add(_ line: String) { kept.withLock { $0.append(line) } }
}

func makeKey(_ path: String, type: String, passphrase: String = "") async throws {
    try await run(["ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C", "test key", "-f", path])
}

@discardableResult
func run(_ words: [String]) async throws -> String {
    let result = try await LocalCommand(words).run()
    guard result.exit.isSuccess else { throw TestFailure("\(words): \(result.exit) \(result.errorText)") }
    return trimmed(result.text)
}

func write(_ text: String, to path: String) throws {
    try text.write(toFile: path, atomically: true, encoding: .utf8)
}

/// Makes a shell script that can be run; written by a child, since one that this process has open while another test
/// starts a program cannot be run ("text file busy").
func makeProgram(_ path: String, _ script: String) async throws {
    let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let words = "mkdir -p \"$2\" && printf '#!/bin/sh\\n%s\\n' \"$1\" >\"$0\" && chmod 755 \"$0\""
    try await run(["sh", "-c", words, path, script, folder])
}

func freePort() throws -> Int {
    let raw = socket(AF_INET, streamSocket, 0)
    defer { close(raw) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(raw, address, length) == 0 ? getsockname(raw, address, &length) : -1
        }
    }
    guard code == 0 else { throw SystemError("bind") }
    return Int(UInt16(bigEndian: address.sin_port))
}

/// An agent of our own, without keys, that listens.
func startAgent(_ socket: String) async throws -> LocalProcess {
    let ready = OneShot<Bool>()
    let process = try LocalProcess.start(LocalCommand(["ssh-agent", "-D", "-a", socket])) { @Sendable _, _ in
        ready.set(true)
    }
    // It prints its environment once it listens.
    guard try await ready.value(within: .seconds(120)) == true else { throw TestFailure("no agent") }
    return process
}

/// Two stream sockets that are connected with each other.
func socketPair() throws -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, streamSocket, 0, &ends) == 0 else { throw SystemError("socketpair") }
    return (ends[0], ends[1])
}
