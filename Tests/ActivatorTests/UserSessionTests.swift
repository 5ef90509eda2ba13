import Foundation
import Testing

@testable import Activator

struct UserSessionTests {
    private let base: String
    private var own: String { "\(base)/\(getuid())" }

    init() throws {
        base = FileManager.default.temporaryDirectory.path + "/run-user-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: "\(base)/\(getuid())", withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: "\(base)/\(getuid())/bus", contents: nil)
    }

    private func completed(_ environment: [String: String]) -> [String: String] {
        UserSession.completed(environment, base: base)
    }

    private func removed<Result>(_ result: Result) throws -> Result {
        try FileManager.default.removeItem(atPath: base)
        return result
    }

    @Test func whatALoginWouldSetIsPutIn() throws {
        let expected = ["A": "1", "XDG_RUNTIME_DIR": own, "DBUS_SESSION_BUS_ADDRESS": "unix:path=\(own)/bus"]
        #expect(try removed(completed(["A": "1"])) == expected)
    }

    @Test func whatIsAnotherUsersIsReplaced() throws {
        // `/dev/null` is no folder of ours, whoever we are.
        let found = completed(["XDG_RUNTIME_DIR": "/dev/null", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/dev/null/bus"])
        #expect(try removed(found["XDG_RUNTIME_DIR"]) == own)
    }

    @Test func whatIsOursStays() throws {
        let set = ["XDG_RUNTIME_DIR": base, "DBUS_SESSION_BUS_ADDRESS": "unix:abstract=x"]
        #expect(try removed(completed(set)) == set)
    }

    @Test func withoutASessionNothingIsLeftOver() throws {
        let found = UserSession.completed(["XDG_RUNTIME_DIR": "/dev/null"], base: "/no/such")
        #expect(try removed(found).isEmpty)
    }
}
