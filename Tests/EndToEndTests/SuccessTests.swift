import Foundation
import Shared
import Testing

@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(3)))
struct SuccessTests {
    private static let app = Node.appProfile("web")

    private func profiles(_ version: String) -> [Fixture.Profile] {
        [
            .init(name: "web", user: "app", activation: "id -un >>/var/tmp/order; " + Script.mark(version, user: "app")),
            .init(name: "system", activation: "id -un >>/var/tmp/order; " + Script.mark(version)),
        ]
    }

    @Test func twoProfilesOfTwoUsersAreDeployedInTheirOrderAndAgain() async throws {
        try await Lab.withNode { lab, node in
            let fixture = try Fixture(in: lab)
            try await node.shell("install -m 666 /dev/null /var/tmp/order")
            for (index, version) in ["one", "two"].enumerated() {
                try fixture.write(profiles(version), version: version)
                let result = try await lab.deploy([fixture.flake])
                #expect(result.exit == .code(0), "\(result.errorText)")
                let number = index + 1
                for (name, link) in [("web", Self.app), ("system", "/nix/var/nix/profiles/system")] {
                    #expect(try await node.generation(link) == number)
                    #expect(try await node.profile(link).hasSuffix("-activatable-\(name)-\(version)"))
                    #expect(
                        result.errorText.contains(
                            "profile \"\(name)\": deployed and confirmed on generation \(number)"))
                }
            }
            #expect(try await node.shell("cat /var/tmp/order") == "app\nroot\napp\nroot")
            #expect(try await node.marks() == ["one", "two"])
            #expect(try await node.marks(of: "app") == ["one", "two"])
        }
    }
}
