import Foundation
import Glibc
import Shared
import TestSupport
import Testing

/// A control group with a limit of memory, past which the kernel's out-of-memory killer ends what is in it.
struct MemoryGroup: Sendable {
    /// Why there can be none here; nil where there can.
    static let obstacle: String? = {
        do {
            let group = try MemoryGroup(limit: 1 << 20)
            return rmdir(group.folder) == 0 ? nil : "control groups of memory cannot be removed here"
        } catch {
            return "no control groups of memory can be made here: \(error)"
        }
    }()

    private static let root = "/sys/fs/cgroup"
    private static let isFirstVersion = access("\(root)/memory/cgroup.procs", F_OK) == 0

    private let folder: String

    /// - Parameter limit: bytes; what a process holds before it comes in does not count in version 1
    init(limit: Int) throws {
        let parent = Self.isFirstVersion ? "\(Self.root)/memory" : Self.root
        folder = "\(parent)/deploy-swift-test-\(try Nonce.random().prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        do {
            if Self.isFirstVersion {
                try write("0", to: "memory.swappiness")
                try write(String(limit), to: "memory.limit_in_bytes")
            } else {
                // Not there where the kernel has no swap.
                if access("\(folder)/memory.swap.max", F_OK) == 0 { try write("0", to: "memory.swap.max") }
                try write(String(limit), to: "memory.max")
            }
        } catch {
            rmdir(folder)
            throw error
        }
    }

    /// Takes in a process, by this machine's number for it.
    func take(_ process: Int) throws { try write(String(process), to: "cgroup.procs") }

    /// How many processes the kernel has killed in it.
    var kills: Int {
        get throws {
            let file = Self.isFirstVersion ? "memory.oom_control" : "memory.events"
            let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
            let line = text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
            return try #require(line.flatMap { Int($0.split(separator: " ")[1]) }, "no count in \(text)")
        }
    }

    /// Removes it once the last process in it is gone.
    func remove() async throws {
        try await eventually("the group is empty") { rmdir(folder) == 0 }
    }

    private func write(_ text: String, to file: String) throws {
        let descriptor = open("\(folder)/\(file)", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open", "\(folder)/\(file)") }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count else {
            throw SystemError("write", "\(folder)/\(file)")
        }
    }
}

extension Node {
    /// This machine's number for a process, by the number that it has on the node.
    func hostNumber(of process: String) async throws -> Int {
        let text = """
            space=$(readlink /proc/$1/ns/pid)
            for folder in /proc/[0-9]*; do
                [ "$(readlink $folder/ns/pid 2>/dev/null)" = "$space" ] || continue
                set -- "$1" "$2" $(grep '^NSpid:' $folder/status 2>/dev/null)
                while [ $# -gt 3 ]; do last=$4; set -- "$1" "$2" "$3" $(shift 4; echo "$@"); done
                if [ "$last" = "$2" ]; then echo ${folder#/proc/}; exit; fi
            done
            exit 1
            """
        let root = trimmed(try await lab.tool("pid", name).text)
        let result = try await lab.command(["sh", "-c", text, "sh", root, process]).run()
        return try #require(Int(trimmed(result.text)), "process \(process) of \(name) is not found")
    }
}
