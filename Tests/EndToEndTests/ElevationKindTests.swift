import Foundation
import Shared
import Testing

/// Ways to become another user besides `sudo`, and the least that they can be allowed.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct ElevationKindTests {
    private static let hasDoas = Lab.has("doas", in: Lab.nodeRoot)
    private static let who = "id -un >/tmp/who"

    private func flake(_ lab: Lab, _ user: String, _ extra: String, activation: String = who) throws -> String {
        try Fixture(in: lab).write([.init(activation: activation)], node: "sshUser = \"\(user)\"; \(extra)").flake
    }

    @Test(.enabled(if: hasDoas, "the nodes' root has no doas: apt-get install opendoas"))
    func doasWithARuleNeedsNothingMore() async throws {
        try await Lab.withNode(options: ["--trust", "app"]) { lab, node in
            let flake = try flake(lab, "app", #"sudo = "doas -u";"#)
            for rule in ["permit app as root", "permit nopass deploy as root"] {
                try await node.shell("echo '\(rule)' >/etc/doas.conf; chmod 600 /etc/doas.conf")
                for words in [[], ["--interactive-sudo", "true"]] {
                    let result = try await lab.deploy(words + [flake])
                    expect(
                        result, .failed, says: "preflight failed: `doas -u root` needs a password on the node",
                        "permit nopass <sshUser> as root")
                    expect(result, saysNot: "copying")
                }
            }
            try await node.shell("echo 'permit nopass app as root' >/etc/doas.conf")
            expect(try await lab.deploy([flake]), .done)
            #expect(try await node.shell("cat /tmp/who") == "root")
        }
    }

    @Test func suTakesTheOtherUsersPassword() async throws {
        try await Lab.withNode(options: ["--trust", "app"]) { lab, node in
            try await node.shell("echo 'root:open sesame' | chpasswd")
            let flake = try flake(lab, "app", #"sudo = "su";"#)
            expect(
                try await lab.deploy([flake]), .failed,
                says: "preflight failed: `su root` needs a password on the node",
                "interactiveSudo = true")
            let wrong: [Terminal.Answer] = Array(repeating: ("web1) Password: ", "wrong"), count: 3)
            let words = ["--interactive-sudo", "true", flake]
            let refused = try await lab.deployOnTerminal(words, answers: wrong)
            #expect(refused.exit == .code(1), "\(refused.text)")
            #expect(
                refused.text.contains("`su root` did not accept the password: su: Authentication failure"),
                "\(refused.text)")
            #expect(try await node.generations() == [])
            let run = try await lab.deployOnTerminal(words, answers: [("Password: ", "open sesame")])
            #expect(run.exit == .code(0), "\(run.text)")
            #expect(!run.text.contains("sesame"))
            #expect(try await node.shell("cat /tmp/who") == "root")
            // A right password, and no right to use it.
            let ruleless = try await lab.deployOnTerminal(
                ["--interactive-sudo", "true", "--sudo", "sudo -u", try self.flake(lab, "pw", "")],
                answers: [("assword", "battery staple")] + Array(repeating: ("Password: ", "battery staple"), count: 3))
            #expect(ruleless.exit == .code(1), "\(ruleless.text)")
            #expect(ruleless.text.contains("pw is not in the sudoers file") || ruleless.text.contains("not allowed"))
        }
    }

    /// From root's side `su` needs no password.
    @Test func suTakesACommandWithQuotes() async throws {
        try await Lab.withNode { lab, node in
            let text = "printf '%s\\n' \"it's $(id -un)\" >/tmp/who"
            let fixture = try Fixture(in: lab).write(
                [.init(user: "app", activation: text)], node: #"sshUser = "root"; sudo = "su -s /bin/sh";"#)
            expect(try await lab.deploy([fixture.flake]), .done)
            #expect(try await node.shell("cat /tmp/who") == "it's app")
        }
    }

    /// root may; anyone else needs a rule of polkit's, which is not even installed there.
    @Test(
        .enabled(if: SystemdLab.isAvailable, Comment(rawValue: SystemdLab.obstacle ?? "")),
        .enabled(if: SystemdLab.has("run0"), "the nodes' systemd is older than 256"))
    func run0NeedsNoPasswordOrIsRefused() async throws {
        try await Lab.withNode(options: try SystemdLab.options + ["--trust", "deploy"]) { lab, node in
            let app = Fixture.Profile(name: "hello", user: "app", activation: "id -un >$HOME/who")
            let run0 = #"sudo = "run0 --user"; sshUser = "#
            let fixture = try Fixture(in: lab).write([app], node: "\(run0)\"root\";")
            expect(try await lab.deploy([fixture.flake]), .done, says: "deployed and confirmed on generation 1")
            #expect(try await node.shell("cat /home/app/who") == "app")
            try fixture.write([app], version: "2", node: "\(run0)\"deploy\";")
            for words in [[], ["--interactive-sudo", "true"]] {
                let refused = try await lab.deploy(words + [fixture.flake])
                expect(
                    refused, .failed, says: "preflight failed: `run0 --user app` needs a password on the node",
                    "org.freedesktop.systemd1.manage-units")
            }
        }
    }

    @Test func anyCommandThatTakesAUserWillDo() async throws {
        try await Lab.withNode(options: ["--trust", "deploy"]) { lab, node in
            let become = "#!/bin/sh\\nuser=$1; shift; exec sudo -n -u \"$user\" -- \"$@\"\\n"
            try await node.shell("printf '\(become)' >/usr/local/bin/become; chmod 755 /usr/local/bin/become")
            expect(try await lab.deploy([try flake(lab, "deploy", #"sudo = "/usr/local/bin/become";"#)]), .done)
            #expect(try await node.shell("cat /tmp/who") == "root")
        }
    }

    /// As by hand, and as the NixOS module does it: then the name is a link, and the program in the store.
    @Test(
        "R8: one rule for one installed agent is enough, for the confirmation too",
        arguments: ["/usr/local/libexec/deploy-swift-agent", "/etc/deploy-swift/activate"])
    func oneRuleForOneInstalledAgentIsEnough(path: String) async throws {
        try await Lab.withNode(options: ["--trust", "app"]) { lab, node in
            let isLink = path.hasPrefix("/etc/")
            let flake = try flake(lab, "app", "agentPath = \(nixString(path));")
            try await node.shell(
                "echo 'app ALL=(root) NOPASSWD: \(path)' >>/etc/sudoers"
            )
            expect(
                try await lab.deploy([flake]), .failed,
                says: "preflight failed: agentPath \(path) is no agent that runs on the node", "Least privilege")
            let other = "mkdir -p $(dirname \(path)); printf '#!/bin/sh\\necho deploy-swift activate 0.0.1\\n' >\(path)"
            try await node.shell("\(other); chmod 755 \(path)")
            expect(
                try await lab.deploy([flake]), .failed,
                says: "agentPath \(path) is deploy-swift activate 0.0.1, but this deploy needs deploy-swift activate")
            let agent = "\(Lab.prefix ?? "")/libexec/deploy-swift/x86_64-linux/activate"
            try FileManager.default.copyItem(
                atPath: agent, toPath: "\(lab.folder)/nodes/\(node.name)/disk/root/activate")
            let installed = isLink ? "/opt/store/bin/activate" : path
            try await node.shell("install -D -m 755 /root/activate \(installed)")
            if isLink { try await node.shell("ln -sf \(installed) \(path)") }
            let refused = try await lab.tool("ssh", "web1", "-l", "app", "sudo -n true && echo yes || echo no")
            #expect(trimmed(refused.text) == "no")
            expect(try await lab.deploy([flake]), .done, says: "deployed and confirmed on generation 1")
            #expect(try await node.shell("cat /tmp/who") == "root")
            let failing = try self.flake(lab, "app", "agentPath = \(nixString(path));", activation: "exit 1")
            expect(try await lab.deploy([failing]), .rolledBack, says: "now on generation 1")
            let status = try await lab.run(["\(Lab.prefix ?? "")/bin/deploy", "status", flake])
            expect(status, .done)
            // Without it, the agent that is sent is not what the rule allows.
            expect(
                try await lab.deploy([try self.flake(lab, "app", "")]), .failed,
                says: "`sudo -u root` needs a password on the node")
        }
    }
}
