import Dispatch
import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// This program as the `ssh` that Nix starts for `ssh-ng://` and `ssh://`: it carries Nix's bytes to our socket, and so to
/// the session that is open already, with its port, keys, passwords and hosts on the way.
enum SSHStandIn {
    /// Path of the socket to carry them to.
    static let socketVariable = "DEPLOY_STORE_SOCKET"
    /// The host that Nix is told; for any other one this is the system's `ssh`.
    static let host = "node.deploy-swift"

    /// What a Nix must find in its environment to start it; `PATH` is the folder to put in front.
    static func variables(_ socket: StoreSocket, program: String) throws(SystemError) -> [String: String] {
        let link = "\(socket.folder)/ssh"
        guard symlink(program, link) == 0 else { throw SystemError("symlink", link) }
        return ["PATH": socket.folder, socketVariable: socket.path]
    }

    /// Carries bytes until the node has closed its end.
    ///
    /// - Returns: the exit status; nil if this program was not started for this
    static func run(_ arguments: [String], environment: [String: String]) async -> Int32? {
        guard let path = environment[socketVariable], arguments.first?.split(separator: "/").last == "ssh" else {
            return nil
        }
        guard arguments.contains(host) else { return await systemSSH(arguments, environment, path) }
        // Whether there is a master of Nix's own: no.
        if arguments.contains("-O") { return 255 }
        guard let raw = try? connectUnixSocket(path) else { return 255 }
        // Nix waits for it: by then a login would have asked all its questions.
        if arguments.contains("-oLocalCommand=echo started") { writeAll(STDOUT_FILENO, "started\n") }
        signal(SIGPIPE, SIG_IGN)
        DispatchQueue.global().async { @Sendable in
            carry(from: STDIN_FILENO, to: raw)
            shutdown(raw, Int32(SHUT_WR))
        }
        carry(from: raw, to: STDOUT_FILENO)
        return 0
    }

    private static func systemSSH(
        _ arguments: [String], _ environment: [String: String], _ path: String
    ) async -> Int32 {
        var environment = environment
        environment[socketVariable] = nil
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        environment["PATH"] = environment["PATH"]?.split(separator: ":").filter { $0 != folder }.joined(separator: ":")
        var command = LocalCommand(["ssh"] + arguments.dropFirst(), environment: environment)
        (command.input, command.output, command.errorOutput) = (.inherited, .inherited, .inherited)
        command.grouping = .ours
        guard case .code(let code)? = try? await command.run().exit else { return 255 }
        return code
    }

    private static func carry(from source: Int32, to target: Int32) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = read(source, buffer.baseAddress, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            var rest = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            while !rest.isEmpty {
                let written = write(target, rest.baseAddress, rest.count)
                if written < 0 && errno == EINTR { continue }
                guard written > 0 else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
    }
}
