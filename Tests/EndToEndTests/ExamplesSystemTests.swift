import Foundation
import Shared
import Testing

/// The recipes for whole systems, with stand-ins for what they would fetch.
@Suite(.serialized, .enabled(if: Lab.isAvailable, "\(Lab.obstacle ?? "")"), .timeLimit(.minutes(10)))
struct ExamplesSystemTests {
    private static let profile = "/nix/var/nix/profiles/system"

    @Test func theNixOSExampleSwitchesBothItsSystems() async throws {
        try await Lab.withNode { lab, plain in
            try await lab.tool("up", "web2")
            let wrapped = Node(lab: lab, name: "web2")
            var example = try Example("nixos", in: lab)
            try example.standIn(for: "nixpkgs")
            try await example.deployed()
            let file = try String(contentsOfFile: "\(example.folder)/configuration.nix", encoding: .utf8)
            try example.write("configuration.nix", file.replacing("hello\\n", with: "hello again\\n"))
            let dry = try await example.deploy(["--dry-activate"])
            for name in ["web1", "web2"] { expect(dry, is: .done, says: "\(name): system: would write hello again") }
            try await example.deployed()
            for node in [plain, wrapped] {
                #expect(try await node.generations() == [1, 2])
                #expect(try await node.shell("cat /etc/greeting") == "hello again")
                let unit = try await node.shell("grep ^ExecStart= /etc/systemd/system/deploy-swift-recover.service")
                #expect(unit.hasSuffix("-deploy-swift-agent/bin/activate recover --background"), "\(unit)")
                #expect(try await node.shell("readlink -f /run/current-system").contains("-nixos-system-\(node.name)"))
            }
            let tried = ["test", "boot"].map { "\($0) hello" }
            #expect(try await plain.shell("head -n 2 /root/switched").split(separator: "\n").map(String.init) == tried)
            #expect(try await wrapped.shell("cat /root/switched") == "switch hello\nswitch hello again")
            // Only the wrapper drops the loader's default entry.
            #expect(try await wrapped.shell("cat /boot/loader/loader.conf") == "")
        }
    }

    /// As far as a Mac can be played: by what it calls itself, and by what may be built there.
    @Test func theDarwinExampleIsDrivenThroughItsOwnAgent() async throws {
        try await Lab.withNode("mac") { lab, mac in
            try await mac.shell(
                """
                printf '#!/bin/sh\\necho Darwin arm64\\n' >/usr/local/bin/uname; chmod 755 /usr/local/bin/uname
                echo 'extra-platforms = aarch64-darwin' >>/etc/nix/nix.conf; lab-service nix-daemon restart
                """)
            var example = try Example("darwin", in: lab)
            try example.standIn(for: "nix-darwin")
            try example.standIn(for: "deploy-rs", adding: ["activate-rs"])
            let words = ["--hostname", "mac", "--ssh-user", "root", "--skip-checks"]
            let result = try await example.deploy(words)
            expect(
                result, is: .done, says: "no agent for aarch64-darwin is sent: the closures' own are driven",
                "building on the node", "deployed and confirmed on generation 1")
            #expect(try await mac.shell("cat /etc/greeting") == "hello")
            #expect(try await mac.shell("cat /etc/activated") == "/var/root \(Self.profile)")
            try example.write("configuration.nix", "{ environment.etc.greeting.text = \"hello again\"; }")
            expect(try await example.deploy(words), is: .done, says: "deployed and confirmed on generation 2")
            #expect(try await mac.shell("cat /etc/greeting") == "hello again")
        }
    }
}
