import Foundation
import Shared
import Testing

/// A Kerberos realm of a lab's own: its KDC runs on one of the nodes, and nothing of it is outside the lab.
struct Realm: Sendable {
    /// Why there can be none here; nil where there can.
    static let obstacle: String? = {
        let servers = ["krb5kdc", "kdb5_util", "kadmin.local"].filter { !Lab.has($0, in: Lab.nodeRoot) }
        let clients = ["kinit", "klist", "kdestroy"].filter { !Lab.has($0, in: Lab.deployerRoot) }
        if let missing = servers.first {
            return "the nodes' root has no \(missing): apt-get install krb5-kdc krb5-admin-server"
        }
        return clients.first.map { "the deployer's root has no \($0): apt-get install krb5-user" }
    }()

    private static let name = "LAB.TEST"
    private static let password = "battery staple"

    let lab: Lab
    /// Has the deployer's side use this realm, and a ticket cache in the lab.
    let environment: [String: String]

    /// Starts a KDC on a node, which knows the node's own SSH service and a user.
    static func start(on node: Node, user: String) async throws -> Realm {
        let lab = node.lab
        let address = try await lab.address(node.name)
        let settings = """
            [libdefaults]
              default_realm = \(name)
              dns_lookup_kdc = false
              dns_lookup_realm = false
              dns_canonicalize_hostname = false
              rdns = false
            [realms]
              \(name) = {
                kdc = \(address)
              }
            """
        let file = "\(lab.folder)/krb5.conf"
        try (settings + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        // The KDC has taken its ports before it lets go of the shell.
        try await node.shell(
            """
            set -e
            mkdir -p /var/lib/realm
            cat >/etc/krb5.conf <<'END'
            \(settings)
            END
            cat >/var/lib/realm/kdc.conf <<'END'
            [realms]
              \(name) = {
                database_name = /var/lib/realm/principal
                key_stash_file = /var/lib/realm/stash
              }
            END
            export KRB5_KDC_PROFILE=/var/lib/realm/kdc.conf
            kdb5_util create -s -r \(name) -P \(shellQuoted(password))
            # OpenSSH asks for the service of the name that it connects to: the lab's configuration has the address.
            for host in \(address) \(node.name); do
                kadmin.local -q "addprinc -randkey host/$host"
                kadmin.local -q "ktadd host/$host"
            done
            kadmin.local -q \(shellQuoted("addprinc -pw \"\(password)\" \(user)"))
            krb5kdc -P /run/krb5kdc.pid
            """)
        let environment = ["KRB5_CONFIG": file, "KRB5CCNAME": "FILE:\(lab.folder)/tickets"]
        return Realm(lab: lab, environment: environment)
    }

    /// Gets the user's ticket.
    func logIn(_ user: String) async throws {
        let words = ["kinit", user]
        let result = try await lab.run(words, input: Self.password + "\n", environment: environment)
        try #require(result.exit.isSuccess, "\(result.errorText)")
    }

    func logOut() async throws {
        try #require(try await lab.run(["kdestroy"], environment: environment).exit.isSuccess)
    }
}
