import Foundation
import Shared
import Testing

extension Lab {
    /// The deployer's `~/.ssh`.
    var sshFolder: String { "\(folder)/deployer/ssh" }
    /// The key that every account of every node accepts.
    var key: String { "\(sshFolder)/id_ed25519" }

    /// Puts lines in front of the deployer's `~/.ssh/config`; nodes that come or go later take them away.
    func configure(_ lines: String) throws {
        let file = "\(sshFolder)/config"
        let old = try String(contentsOfFile: file, encoding: .utf8)
        try (lines + "\n" + old).write(toFile: file, atomically: true, encoding: .utf8)
    }

    /// Takes the deployer's key away: what is left must do for a login.
    func hideKey() throws -> String {
        let hidden = "\(folder)/hidden-key"
        try FileManager.default.moveItem(atPath: key, toPath: hidden)
        return hidden
    }

    /// Has a node's sshd read these lines first.
    func sshd(_ name: String, _ lines: String) async throws {
        let file = "\(folder)/sshd-\(name).conf"
        try (lines + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        try await tool("sshd", name, file)
    }

    /// A node's address.
    func address(_ name: String, _ kind: String...) async throws -> String {
        trimmed(try await tool(["address"] + kind + [name]).text)
    }

    /// Runs work with an `ssh-agent` that holds a key, and gives it the agent's socket.
    func withAgent(_ key: String, _ work: (String) async throws -> Void) async throws {
        let socket = "\(folder)/agent.sock"
        let (lines, line) = AsyncStream.makeStream(of: String.self)
        // The agent listens before it starts the command, and ends with it.
        let add = "ssh-add -q \(shellQuoted(key)) && echo ready; exec sleep 600"
        let words = ["ssh-agent", "-a", socket, "sh", "-c", add]
        let agent = try LocalProcess.start(command(words)) { @Sendable _, bytes in
            line.yield(String(decoding: bytes, as: UTF8.self))
        }
        defer { agent.terminate() }
        for await text in lines {
            try #require(text.contains("ready"), "the agent did not take the key: \(text)")
            break
        }
        try await work(socket)
    }

    /// A known_hosts file for a node with a wrong key in its third line; the true keys are nowhere.
    func forgeHostKey(_ name: String) async throws -> String {
        let made = "\(folder)/forged"
        _ = try await command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", made]).run()
        let key = trimmed(try String(contentsOfFile: made + ".pub", encoding: .utf8))
        let file = "\(sshFolder)/known_hosts"
        let names = "\(name),\(try await address(name)),\(try await address(name, "--ipv6"))"
        try "# first\n# second\n\(names) \(key)\n".write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}

extension Node {
    /// How many logins its sshd has accepted so far, and of whom.
    func logins() async throws -> [String] {
        let text = try await shell("grep -ho 'Accepted [a-z/-]* for [a-z]*' /var/log/sshd.log || true")
        return text.split(separator: "\n").map(String.init)
    }
}
