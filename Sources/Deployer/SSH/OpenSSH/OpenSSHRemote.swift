import CSystem
import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A node over the system's `ssh`: one master, and more where the server refuses another session.
actor OpenSSHRemote: Remote {
    private var masters: [OpenSSHMaster]
    private let makeMaster: @Sendable () async throws -> OpenSSHMaster
    private let growth = AsyncLock()

    init(_ first: OpenSSHMaster, makeMaster: @escaping @Sendable () async throws -> OpenSSHMaster) {
        masters = [first]
        self.makeMaster = makeMaster
    }

    func start(_ words: [String], input: RemoteInput) async throws -> any RemoteProcess {
        var run = OpenSSHRun.Request(command: try quoted(words), input: .bytes(input.bytes))
        run.holdsSecret = input.holdsSecret
        return try await OpenSSHProcess(OpenSSHRun(self, run))
    }

    func bridge(
        _ words: [String], socket: @Sendable () async throws -> Int32, onBytes: @escaping @Sendable (Int) -> Void
    ) async throws -> RemoteResult {
        let descriptor = try await socket()
        let upload = try CountedUpload(from: descriptor, onBytes)
        defer { upload.stop() }
        let request = OpenSSHRun.Request(
            command: try quoted(words), input: .descriptor(upload.readEnd), output: .descriptor(descriptor))
        let process = try await OpenSSHProcess(OpenSSHRun(self, request))
        var errors: [UInt8] = []
        for try await piece in process.output {
            if case .stderr(let bytes) = piece { errors = (errors + bytes).suffix(64 << 10) }
        }
        let exit = try await process.exit()
        // ssh closes its own copies only.
        shim_shutdown_writing(descriptor)
        return RemoteResult(exit: exit, output: [], errorOutput: errors)
    }

    var doubt: HostDoubt? { masters.lazy.compactMap(\.doubt).first }

    var isCompressed: Bool { masters[0].line.configuration.compresses }

    var isOpen: Bool { !masters[0].isOver }

    func close() async {
        for master in masters { await master.close() }
    }

    /// A master with a place for one more command, and that command's log.
    func reserve() async throws -> (OpenSSHMaster, String) {
        if let place = try presentPlace() { return place }
        return try await growth.withLock {
            if let place = try presentPlace() { return place }
            let master = try await makeMaster()
            masters.append(master)
            guard let log = master.reserve(limit: limit) else { throw master.end(nil) }
            return (master, log)
        }
    }

    private func presentPlace() throws -> (OpenSSHMaster, String)? {
        // A lost connection is not quietly made anew: whoever holds this one must know.
        if masters[0].isOver { throw masters[0].end(nil) }
        for master in masters {
            if let log = master.reserve(limit: limit) { return (master, log) }
        }
        return nil
    }

    /// What one connection was refused, no other one of the same server gets.
    private var limit: Int { masters.compactMap(\.limit).min() ?? .max }

    private func quoted(_ words: [String]) throws -> String {
        guard !words.isEmpty, !words.contains(where: { $0.utf8.contains(0) }) else {
            let reason = "a word of the command holds a NUL character, or there is none"
            let host = masters[0].line.configuration.displayName
            throw SSHError.failed(host: host, step: "starting a command", reason: reason)
        }
        return shellQuoted(words)
    }
}
