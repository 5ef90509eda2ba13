import Foundation
import Shared
import Testing

@testable import Deployer

struct PromptTests {
    @Test func theSummaryHasDeployRssShape() {
        var profile = PlannedProfile.sample
        profile.name = ProfileName("system")
        var odd = profile
        odd.node = NodeName("my.\"server\"")
        odd.destination = Destination(host: "h\\", user: "u", options: ["-o", "a \"b\"\u{1}\n"])
        odd.name = ProfileName("ü")
        let plan = Plan(nodes: [
            PlannedNode(name: NodeName("web1"), hostname: "h", profiles: [profile]),
            PlannedNode(name: odd.node, hostname: "h", profiles: [odd]),
        ])
        #expect(
            Prompt.summary(of: plan) == #"""
                [web1.system]
                user = "root"
                ssh_user = "me"
                path = "/nix/store/x"
                hostname = "host"
                ssh_opts = []

                ["my.\"server\""."ü"]
                user = "root"
                ssh_user = "u"
                path = "/nix/store/x"
                hostname = "h\\"
                ssh_opts = ["-o", "a \"b\"\u0001\n"]

                """#)
    }

    private func ask(_ answers: [String]) async throws -> [String] {
        let log = LineLog()
        var rest = answers[...]
        try await Prompt.ask(say: { log.add($0) }, readLine: { rest.popFirst() })
        return log.all
    }

    @Test(arguments: ["yes", " Y \r", "YES"])
    func yesGoesOn(answer: String) async throws {
        #expect(try await ask([answer]).count == 1)
    }

    @Test(arguments: [
        (["no"], PromptError.declined), ([""], .declined), (["yeees"], .declined), (["ok", "yes"], .declined),
        ([], .noAnswer),
    ])
    func anythingElseDoesNot(answers: [String], expected: PromptError) async {
        await #expect(throws: expected) { try await ask(answers) }
    }

    @Test func linesOfAPipeAreReadOneByOne() async throws {
        let (read, write) = try Descriptor.pipe()
        defer { close(read) }
        let text = "y\nsecond\r\nlast"
        _ = try await LocalCommand.write(text, to: write)
        close(write)
        let input = PromptInput(descriptor: read)
        #expect(try await input.readLine() == "y")
        #expect(try await input.readLine() == "second\r")
        #expect(try await input.readLine() == "last")
        #expect(try await input.readLine() == nil)
    }

    @Test func aLineHasALimitAndABadDescriptorIsAnError() async throws {
        let (read, write) = try Descriptor.pipe()
        defer { close(read) }
        _ = try await LocalCommand.write("abcdef", to: write)
        close(write)
        #expect(try await PromptInput(descriptor: read, limit: 4).readLine() == "abcd")
        await #expect(throws: SystemError.self) { try await PromptInput(descriptor: 9999).readLine() }
    }

    @Test(.timeLimit(.minutes(10)))
    func cancellingEndsTheWait() async throws {
        let (read, write) = try Descriptor.pipe()
        defer {
            close(read)
            close(write)
        }
        let task = Task { try await PromptInput(descriptor: read).readLine() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}

extension LocalCommand {
    /// Has a program write a text into a descriptor.
    fileprivate static func write(_ text: String, to descriptor: Int32) async throws -> LocalResult {
        var command = LocalCommand(["cat"])
        command.input = .bytes(Array(text.utf8))
        command.output = .descriptor(descriptor)
        return try await command.run()
    }
}

extension PlannedProfile {
    /// `web1.system` with all defaults.
    static var sample: PlannedProfile {
        PlannedProfile(
            node: NodeName("web1"), name: ProfileName("system"), path: "/nix/store/x", derivations: [],
            destination: Destination(host: "host", user: "me", options: []), user: "root",
            location: .named(user: "root", name: "system"), elevation: ["sudo", "-u", "root"], interactiveSudo: false,
            fastConnection: false, autoRollback: true, magicRollback: true, remoteBuild: false, tempPath: nil,
            confirmTimeout: 30, activationTimeout: nil
        )
    }
}
