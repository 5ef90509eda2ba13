import Shared

/// A logged-in connection to a node on which commands run; any number of them side by side.
protocol Remote: Sendable {
    /// Starts a command; `words` are quoted here, at the last moment, for the login shell.
    ///
    /// - Parameter input: for its standard input, which is then closed
    /// - Throws: ``SSHError``; ``SSHError/secretWithheld(host:knownIn:)`` if a secret would go to a host in doubt
    func start(_ words: [String], input: RemoteInput) async throws -> any RemoteProcess

    /// Runs a command whose standard input and output are this socket, to its end, bytes unchanged in both directions.
    ///
    /// - Parameters:
    ///   - socket: waits for a connected stream socket, which stays the caller's; the command may be started meanwhile
    ///   - onBytes: how many bytes just went to the node
    /// - Returns: how it ended, with the last of its standard error
    func bridge(
        _ words: [String], socket: @Sendable () async throws -> Int32, onBytes: @escaping @Sendable (Int) -> Void
    ) async throws -> RemoteResult

    /// Whether ``forward(_:socket:onBytes:)`` can be tried.
    var forwardsSockets: Bool { get }

    /// Whether a Unix socket on the node can be reached; what connects to it next finds the connection made.
    func reaches(_ path: String) async throws -> Bool

    /// Connects a socket here with a Unix socket on the node, bytes unchanged in both directions, until the node closes;
    /// that the socket here then ends is left to its owner.
    ///
    /// - Parameters:
    ///   - path: the node's, absolute
    ///   - socket: as for a command
    ///   - onBytes: as for a command
    func forward(
        _ path: String, socket: @Sendable () async throws -> Int32, onBytes: @escaping @Sendable (Int) -> Void
    ) async throws -> ForwardEnd

    /// Says that further commands will follow, so that each finds ready what can be made ahead of it.
    ///
    /// - Parameter socket: a Unix socket on the node that is to be reached behind the first of them
    func staysInUse(reaching socket: String?) async

    /// What speaks against the host being the one it is taken for; nil if nothing does.
    var doubt: HostDoubt? { get async }

    /// False once the connection is known to have ended; commands on it then fail.
    var isOpen: Bool { get async }

    /// True where what it carries is compressed, or nothing is to be gained by that.
    var isCompressed: Bool { get async }

    /// Ends the connection; commands still running lose their channel, and may go on at the node.
    func close() async
}

/// How a connection to a Unix socket on a node came to its end.
enum ForwardEnd: Sendable {
    /// There was none: nothing listens there, or the server forwards to no socket (`AllowStreamLocalForwarding no`).
    case refused
    /// The node closed it once this side had.
    case closed
    /// The node closed it first.
    case closedByNode
}

/// What a remote command reads on its standard input.
struct RemoteInput: Sendable {
    let bytes: [UInt8]
    /// A secret is among them: it shows nowhere, and does not go to a host in doubt.
    let holdsSecret: Bool

    init(_ bytes: [UInt8]) { (self.bytes, holdsSecret) = (bytes, false) }

    /// The secret as one line.
    init(line secret: Secret) { (bytes, holdsSecret) = (secret.bytes + [UInt8(ascii: "\n")], true) }

    static let none = RemoteInput([])
}

/// A host key that contradicts a known one, let in by `StrictHostKeyChecking=no`.
struct HostDoubt: Sendable, Equatable {
    /// For messages, as the user knows it.
    let host: String
    /// The line of known_hosts that has another key: `/home/me/.ssh/known_hosts:12`.
    let knownIn: String

    var error: SSHError { .secretWithheld(host: host, knownIn: knownIn) }
}

/// A command that runs on a node.
protocol RemoteProcess: Sendable {
    /// What it writes, piece by piece, until it has closed both outputs or the connection is lost.
    ///
    /// Whoever leaves the loop early leaves the command running. Throws ``SSHError`` when the connection is lost.
    var output: AsyncThrowingStream<RemoteOutput, any Error> { get }

    /// Waits for its end; call it after ``output`` has ended.
    func exit() async throws -> RemoteExit
}

/// A piece of what a remote command wrote.
enum RemoteOutput: Sendable, Equatable {
    case stdout([UInt8])
    case stderr([UInt8])
}

/// How a remote command ended; a signal has a name there, not a number.
enum RemoteExit: Sendable, Equatable, CustomStringConvertible {
    case code(Int32)
    /// Name without "SIG", such as `KILL`.
    case signal(String)
    /// The server closed the channel without a word, as with `ChannelTimeout`; the command may go on there.
    case missing

    var isSuccess: Bool { self == .code(0) }

    var description: String {
        switch self {
        case .code(let code): "exit status \(code)"
        case .signal(let name): "signal \(name)"
        case .missing: "no exit status, since the server closed its channel early"
        }
    }
}

/// A remote command that ran to its end.
struct RemoteResult: Sendable {
    var exit: RemoteExit
    var output: [UInt8]
    var errorOutput: [UInt8]

    var text: String { String(decoding: output, as: UTF8.self) }
    var errorText: String { trimmed(String(decoding: errorOutput, as: UTF8.self)) }
}

extension Remote {
    func staysInUse(reaching socket: String?) async {}

    var forwardsSockets: Bool { false }

    func reaches(_ path: String) async throws -> Bool { false }

    func forward(
        _ path: String, socket: @Sendable () async throws -> Int32, onBytes: @escaping @Sendable (Int) -> Void
    ) async throws -> ForwardEnd { .refused }

    func start(_ words: [String], input: [UInt8]) async throws -> any RemoteProcess {
        try await start(words, input: RemoteInput(input))
    }

    /// Runs a command whose input holds no secret to its end, whatever its exit status.
    func run(_ words: [String], input: [UInt8] = [], limit: Int = 16 << 20) async throws -> RemoteResult {
        try await run(words, input: RemoteInput(input), limit: limit)
    }

    /// Does work over this connection; cancelling it ends the connection, so that nothing waits for a dead one.
    func during<Value: Sendable>(_ work: () async throws -> Value) async throws -> Value {
        try await withTaskCancellationHandler {
            try await work()
        } onCancel: {
            Task { await close() }
        }
    }

    /// Runs a command to its end, whatever its exit status.
    ///
    /// - Parameters:
    ///   - limit: bytes kept of each output
    ///   - onOutput: called whenever it has written something
    func run(
        _ words: [String], input: RemoteInput, limit: Int = 16 << 20, onOutput: @Sendable () -> Void = {}
    ) async throws -> RemoteResult {
        let process = try await start(words, input: input)
        var result = RemoteResult(exit: .code(0), output: [], errorOutput: [])
        for try await piece in process.output {
            onOutput()
            switch piece {
            case .stdout(let bytes): result.output += bytes.prefix(max(0, limit - result.output.count))
            case .stderr(let bytes): result.errorOutput += bytes.prefix(max(0, limit - result.errorOutput.count))
            }
        }
        result.exit = try await process.exit()
        return result
    }
}

/// Makes connections: over libssh2 or the system's `ssh` in the program, a table of answers in tests.
protocol Connector: Sendable {
    /// Connects and logs in, with a TCP connection and a login of its own every time.
    ///
    /// - Throws: ``SSHError``
    func connect(_ destination: Destination) async throws -> any Remote
}

/// Where to connect, before the user's SSH configuration is applied.
struct Destination: Sendable, Hashable, CustomStringConvertible {
    /// As in the flake: a name, an alias from the SSH configuration, an IPv4 or a bare or bracketed IPv6 address.
    var host: String
    var user: String
    /// The node's `sshOpts`: words for `ssh`'s command line.
    var options: [String]
    /// Other hosts that lead to the same node, to be tried where the first does not answer.
    var fallbacks: [String] = []
    /// This machine, without SSH.
    var isLocal = false
    /// As with `Compression yes` in the SSH configuration.
    var compresses = false

    var description: String { isLocal ? "this machine" : "\(user)@\(host)" }

    /// Every way to the node, as a destination without others.
    var ways: [Destination] {
        ([host] + fallbacks).map { Destination(host: $0, user: user, options: options, compresses: compresses) }
    }
}
