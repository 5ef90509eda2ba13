import Shared
import Testing

/// Nobody says that anything is over: a link that passes nothing on, and an agent that does nothing.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct SilenceTests {
    /// The node rolls back long before a keepalive would miss an answer, and before TCP itself, whose pauses grow with
    /// the cut, tries once more.
    @Test("A8: a link that falls silent before the canary and is back in time: committed", arguments: [false, true])
    func aSilentLinkThatIsBackInTime(overSystemSSH: Bool) async throws {
        try await Scene.with { scene in
            // These are the ones that libssh2 before 1.11 lacks.
            if overSystemSSH { try await scene.lab.sshd("web1", "MACs hmac-sha2-256-etm@openssh.com") }
            try await scene.deployed("one")
            let run = try scene.start("two", then: Script.hold, ["--confirm-timeout", "48"])
            try await scene.node.waits(for: Script.isHeld)
            try await scene.lab.tool("cut", "web1")
            try await scene.node.shell(Script.release)
            try await scene.node.waits(for: Script.isAwaiting)
            try await scene.node.waits(for: Script.isAwaiting(noMoreThan: 22))
            try await scene.lab.tool("heal", "web1")
            try await expect(
                run, endsAs: .done, says: "nothing was heard for", "deployed and confirmed on generation 2")
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    @Test func anAgentThatHangsAtItsStartIsGivenUpAndChangesNothingLater() async throws {
        try await Lab.withNode(options: ["--trust", "deploy"]) { lab, node in
            let fixture = try Fixture(in: lab)
            func write(_ version: String) throws {
                try fixture.write(
                    [.init(activation: Script.mark(version))], version: version,
                    node: #"sshUser = "deploy"; sudo = "/usr/local/bin/stuck -u";"#)
            }
            // It is given: -u root AGENT SUBCOMMAND.
            let stuck = """
                #!/bin/sh
                if [ -e /tmp/sticks ] && [ "$4" = activate ]; then echo $$ >/tmp/stuck; kill -STOP $$; fi
                exec sudo -n "$@"
                """
            try await node.shell(
                "cat >/usr/local/bin/stuck <<'END'\n\(stuck)\nEND\nchmod 755 /usr/local/bin/stuck")
            try write("one")
            expect(try await lab.deploy([fixture.flake]), is: .done)
            try await node.shell("touch /tmp/sticks")
            try write("two")
            expect(
                try await lab.deploy([fixture.flake]), is: .failed, says: "the agent on the node does not begin",
                "this deploy did not change the profile", "will not do so any more")
            // Nor does it when it goes on after all.
            try await node.shell("kill -CONT $(cat /tmp/stuck)")
            try await node.waits(for: "! kill -0 $(cat /tmp/stuck) 2>/dev/null")
            #expect(try await node.generations() == [1])
            #expect(try await node.marks() == ["one"])
        }
    }
}
