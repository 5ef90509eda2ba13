import Foundation
import Shared
import Testing

/// How `deploy` gets in: keys, passwords, and what the user's SSH configuration says.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct LoginTests {
    private func flake(_ lab: Lab, _ node: String = "", user: String = "root") throws -> String {
        try Fixture(in: lab).write([.init(user: user)], node: node).flake
    }

    @Test func aKeyOfTheAgentIsEnough() async throws {
        try await Lab.withNode { lab, _ in
            let flake = try flake(lab)
            try await lab.withAgent(try lab.hideKey()) { socket in
                let deploy = ["env", "SSH_AUTH_SOCK=\(socket)", "\(Lab.prefix ?? "")/bin/deploy", "-s", flake]
                expect(try await lab.run(deploy), .done)
            }
            let refused = try await lab.deploy([flake])
            expect(
                refused, .unreachable, says: "web1: error: preflight failed: root@web1", "refused the login; tried: ",
                "`ssh -v root@web1`")
        }
    }

    @Test(arguments: ["libssh2", "openssh"])
    func anEncryptedKeyAsksForItsPassphraseOnce(transport: String) async throws {
        try await Lab.withNode { lab, _ in
            let change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", lab.key]
            #expect(try await lab.command(change).run().exit.isSuccess)
            let answers: [Terminal.Answer] = [("passphrase", "open sesame")]
            let logs = "\(lab.folder)/logs"
            let words = ["-d", "--log-dir", logs, "--ssh-transport", transport, try flake(lab)]
            let run = try await lab.deployOnTerminal(words, answers: answers)
            #expect(run.exit == .code(0), "\(run.text)")
            #expect(run.text.split(separator: "Enter passphrase for key").count == 2, "\(run.text)")
            #expect(!run.text.contains("sesame"))
            let found = try await lab.run(["grep", "-rl", "web1", logs])
            #expect(!found.text.isEmpty, "the logs are there")
            #expect(try await lab.run(["grep", "-ral", "sesame", logs]).text.isEmpty)
        }
    }

    @Test(arguments: [("no", "yes"), ("yes", "no")], ["libssh2", "openssh"])
    func aPasswordIsAskedForOnce(methods: (keyboard: String, password: String), transport: String) async throws {
        try await Lab.withNode(options: ["--trust", "pw"]) { lab, _ in
            let (keyboard, password) = methods
            try await lab.sshd("web1", "KbdInteractiveAuthentication \(keyboard)\nPasswordAuthentication \(password)")
            _ = try lab.hideKey()
            let flake = try flake(lab, #"sshUser = "pw";"#, user: "pw")
            let words = ["--ssh-transport", transport, flake]
            let run = try await lab.deployOnTerminal(words, answers: [("assword:", "battery staple")])
            #expect(run.exit == .code(0), "\(run.text)")
            #expect(run.text.split(separator: "assword:").count == 2, "\(run.text)")
            #expect(!run.text.contains("staple"))
        }
    }

    @Test func aWrongHostKeyIsRefusedWithItsPlace() async throws {
        try await Lab.withNode { lab, node in
            let file = try await lab.forgeHostKey("web1")
            let flake = try flake(lab)
            for transport in ["automatic", "openssh"] {
                let result = try await lab.deploy(["--ssh-transport", transport, flake])
                expect(result, .unreachable, says: "the host key of web1", "has changed", "/known_hosts:3")
            }
            #expect(FileManager.default.fileExists(atPath: file))
            #expect(try await node.logins() == [])
        }
    }

    @Test func anUnknownHostIsTreatedAsConfigured() async throws {
        try await Lab.withNode { lab, _ in
            let file = "\(lab.sshFolder)/known_hosts"
            let flake = try flake(lab)
            try "".write(toFile: file, atomically: true, encoding: .utf8)
            let strict = try await lab.deploy(["--ssh-opts", "-o StrictHostKeyChecking=yes", flake])
            expect(strict, .unreachable, says: "the host key of web1", "is not known", "SHA256:", "ssh-keyscan")
            let asked = try await lab.deploy(["--ssh-opts", "-o StrictHostKeyChecking=ask", flake])
            expect(asked, .unreachable, says: "no terminal")
            let ask = ["--ssh-opts", "-o StrictHostKeyChecking=ask", flake]
            let no = try await lab.deployOnTerminal(ask, answers: [("(yes/no", "no")])
            #expect(no.exit == .code(6) && no.text.contains("not accepted"), "\(no.text)")
            let yes = try await lab.deployOnTerminal(ask, answers: [("(yes/no", "yes")])
            #expect(yes.exit == .code(0), "\(yes.text)")
            #expect(yes.text.split(separator: "(yes/no").count == 2, "\(yes.text)")
            try "".write(toFile: file, atomically: true, encoding: .utf8)
            expect(try await lab.deploy(["--ssh-opts", "-o StrictHostKeyChecking=accept-new", flake]), .done)
            #expect(try String(contentsOfFile: file, encoding: .utf8).contains("ssh-ed25519"))
        }
    }

    @Test func theUsersConfigurationCounts() async throws {
        try await Lab.withNode { lab, _ in
            let address = try await lab.address("web1")
            try await lab.sshd("web1", "Port 22\nPort 2222")
            try "Host deep\n  HostName \(address)\n".write(
                toFile: "\(lab.sshFolder)/more", atomically: true, encoding: .utf8)
            try lab.configure(
                """
                Include more
                Match host deep,\(address)
                  Port 2222
                  HostKeyAlias web1
                """)
            expect(try await lab.deploy(["--hostname", "deep", try flake(lab)]), .done)
            let ipv6 = try await lab.address("web1", "--ipv6")
            expect(try await lab.deploy(["--hostname", ipv6, try flake(lab)]), .done)
        }
    }

    @Test func anotherNodeIsJumpedOver() async throws {
        try await Lab.withNode { lab, node in
            try await lab.tool("up", "gate")
            let flake = try flake(lab)
            let result = try await lab.deploy(["--ssh-opts", "-J gate", flake])
            expect(result, .done)
            let gate = Node(lab: lab, name: "gate")
            #expect(try await !gate.logins().isEmpty)
            #expect(try await node.generations() == [1])
        }
    }
}
