import Foundation
import Shared
import Testing

/// What can be shown where no node can be made: no root, a container. It runs elsewhere too, as whoever runs the tests.
@Suite(.serialized, .enabled(if: Loopback.obstacle == nil, "\(Loopback.obstacle ?? "")"), .timeLimit(.minutes(10)))
struct LoopbackTests {
    @Test func aProfileOfTheCurrentUserIsDeployedWithASettingsFileForSSH() async throws {
        try await Loopback.with { node in
            for version in ["one", "two"] {
                let result = try await node.deploy(version)
                #expect(result.exit == .code(ExitCode.done.rawValue), "\(result.errorText)")
                #expect(try node.profile().hasSuffix("-activatable-app-\(version)"))
            }
            #expect(try node.versions == ["one", "two"])
        }
    }

    @Test func aFailedActivationIsTakenBack() async throws {
        try await Loopback.with { node in
            #expect(try await node.deploy("one").exit == .code(ExitCode.done.rawValue))
            let result = try await node.deploy("two", then: "exit 3")
            #expect(result.exit == .code(ExitCode.rolledBack.rawValue), "\(result.errorText)")
            #expect(try node.profile().hasSuffix("-activatable-app-one"))
            #expect(try node.versions == ["one", "two", "one"])
        }
    }

    @Test func aVersionThatStopsSSHIsTakenBackWhenNobodyConfirmsIt() async throws {
        try await Loopback.with { node in
            // `loopback-up` starts the sshd again where it was; while it runs, this does nothing.
            let first = try await node.deploy("one", then: "$lab loopback-up >/dev/null")
            #expect(first.exit == .code(ExitCode.done.rawValue), "\(first.errorText)")
            let result = try await node.deploy("two", then: "$lab loopback-stop", ["--confirm-timeout", "3"])
            #expect(result.exit == .code(ExitCode.rolledBack.rawValue), "\(result.errorText)")
            #expect(result.errorText.contains("it was not confirmed within 3 s"), "\(result.errorText)")
            #expect(try node.profile().hasSuffix("-activatable-app-one"))
            #expect(try node.versions == ["one", "two", "one"])
            #expect(try await node.answers())
        }
    }
}
