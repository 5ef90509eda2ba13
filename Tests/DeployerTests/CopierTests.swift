import Foundation
import Shared
import Testing

@testable import Deployer

@Suite(.timeLimit(.minutes(10)))
struct CopierTests {
    /// A node that starts what serves its store, and never sees its end.
    private struct Node: Remote, Connector {
        let hasStarted = Gate()

        func bridge(
            _ words: [String], socket: @Sendable () async throws -> Int32, onBytes: @escaping @Sendable (Int) -> Void
        ) async throws -> RemoteResult {
            hasStarted.open()
            _ = try await socket()
            try await Gate().wait()
            return RemoteResult(exit: .code(0), output: [], errorOutput: [])
        }

        func connect(_ destination: Destination) async throws -> any Remote { self }
        func start(_ words: [String], input: RemoteInput) async throws -> any RemoteProcess {
            throw SSHError.lost(host: "node", reason: "it only serves its store")
        }
        var doubt: HostDoubt? { nil }
        var isOpen: Bool { true }
        var isCompressed: Bool { true }
        func close() async {}
    }

    private func copy(_ node: Node, _ run: @escaping Copier.Runner) async throws {
        let console = try Console(showsDebug: false, usesColor: false, logDirectory: nil)
        let destination = Destination(host: "node", user: "root", options: [])
        let connection = ReadyConnection(
            destination: destination, login: NodeLogin(node, to: destination, connector: node), store: .sample,
            agent: nil, elevations: [:])
        try await Copier(console: console, checksSignatures: false, run: run)
            .copy(["/nix/store/a"], to: connection, node: NodeName("node"), usesSubstitutes: false)
    }

    @Test func theNodesSideStartsBeforeNixConnectsAndItsEndIsNotWaitedFor() async throws {
        let node = Node()
        try await copy(node) { _ in
            try await node.hasStarted.wait()
            return try await LocalCommand(["true"]).run()
        }
    }

    @Test func noMoreIsWaitedForOnceNixHasSpokenWithTheNode() async throws {
        let node = Node()
        try await copy(node) { command in
            let path = command.words.first { $0.hasPrefix("unix://") }?.dropFirst("unix://".count) ?? ""
            let socket = try connectUnixSocket(String(path))
            defer { close(socket) }
            try await node.hasStarted.wait()
            return try await LocalCommand(["true"]).run()
        }
    }
}
