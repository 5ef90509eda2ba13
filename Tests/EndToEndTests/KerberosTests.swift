import Foundation
import Shared
import Testing

/// Logins with a Kerberos ticket, in a realm of the test's own.
@Suite(
    .serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")),
    .enabled(if: Realm.obstacle == nil, Comment(rawValue: Realm.obstacle ?? "")), .timeLimit(.minutes(10)))
struct KerberosTests {
    @Test func aTicketIsEnoughAndItsEndIsNot() async throws {
        try await Lab.withNode { lab, node in
            let realm = try await Realm.start(on: node, user: "root")
            // The acceptor would else insist on the name that the node has for itself.
            try await lab.sshd("web1", "GSSAPIAuthentication yes\nGSSAPIStrictAcceptorCheck no")
            try lab.configure("GSSAPIAuthentication yes")
            _ = try lab.hideKey()
            let fixture = try Fixture(in: lab).write([.init(activation: Script.mark("one"))])
            try await realm.logIn("root")
            let result = try await lab.deploy(["-d", fixture.flake], environment: realm.environment)
            expect(
                result, .done, says: "over the system's ssh: there is a Kerberos ticket, and GSSAPI is on",
                "deployed and confirmed on generation 1")
            #expect(try await node.marks() == ["one"])
            // The confirmation's login too.
            let logins = try await node.logins()
            #expect(logins.count >= 2 && Set(logins) == ["Accepted gssapi-with-mic for root"], "\(logins)")
            try await realm.logOut()
            let refused = try await lab.deploy(["-d", "--force", fixture.flake], environment: realm.environment)
            expect(refused, .unreachable, says: "over libssh2", "refused the login; tried: ")
            #expect(try await node.logins().count == logins.count)
        }
    }
}
