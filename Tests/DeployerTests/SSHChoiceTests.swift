import Shared
import Testing

@testable import Deployer

struct SSHChoiceTests {
    private static let ed25519 = PublicKey(
        base64: "AAAAC3NzaC1lZDI1NTE5AAAAIJ+uZmiWnqgQbsY2mSW3sbvx3RaQqvZLQW1ZqkqVhXvz")
    private static let rsa = PublicKey([0, 0, 0, 7] + Array("ssh-rsa".utf8) + [0, 0, 0, 1, 3])
    private static let hardware = PublicKey([0, 0, 0, 26] + Array("sk-ssh-ed25519@openssh.com".utf8))
    private static let certificate = PublicKey([0, 0, 0, 32] + Array("ssh-ed25519-cert-v01@openssh.com".utf8))

    private func facts(_ change: (inout TransportFacts) -> Void = { _ in }) -> TransportFacts {
        var facts = TransportFacts(
            configuration: SSHConfiguration(originalHost: "web1", hostName: "web1", user: "me"))
        facts.available = .init(
            hostKeys: ["ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa"], keyExchanges: ["curve25519-sha256"],
            ciphers: ["aes128-ctr"], macs: ["hmac-sha2-256"])
        change(&facts)
        return facts
    }

    private func known(_ key: PublicKey?, _ mark: KnownHost.Mark = .none) throws -> KnownHost {
        KnownHost(file: "/known", line: 3, mark: mark, key: try #require(key))
    }

    @Test func theOrdinaryCaseIsLibSSH2s() throws {
        #expect(facts().reasonForSystemSSH == nil)
        let line = try known(Self.ed25519)
        #expect(facts { $0.knownHosts = [line] }.reasonForSystemSSH == nil)
        #expect(facts { $0.configuration.usesGSSAPI = true }.reasonForSystemSSH == nil)
        #expect(facts { $0.configuration.proxyJump = "gate" }.reasonForSystemSSH == nil)
    }

    @Test func whatLibSSH2LacksHasItsReason() throws {
        #expect(facts { $0.learned = "it was so" }.reasonForSystemSSH == "it was so")
        #expect(
            facts { $0.configuration.needsSystemSSH = ["ForwardAgent"] }.reasonForSystemSSH == "ForwardAgent is set")
        let ticket = facts {
            $0.configuration.usesGSSAPI = true
            $0.hasKerberosTicket = true
        }
        #expect(ticket.reasonForSystemSSH == "there is a Kerberos ticket, and GSSAPI is on")
        #expect(
            facts { $0.configuration.ciphers = ["chacha20-poly1305@openssh.com"] }.reasonForSystemSSH
                == "libssh2 has none of the Ciphers that are configured")
        let authority = try known(Self.ed25519, .authority)
        #expect(
            facts { $0.knownHosts = [authority] }.reasonForSystemSSH
                == "the host is known by a certificate authority (/known:3)")
        let old = try known(Self.rsa)
        #expect(
            facts { $0.knownHosts = [old] }.reasonForSystemSSH
                == "libssh2 does not have the type of the known host key (ssh-rsa)")
        let plain = try known(Self.ed25519)
        #expect(facts { $0.knownHosts = [authority, plain] }.reasonForSystemSSH == nil)
        #expect(facts { $0.knownHosts = [old, plain] }.reasonForSystemSSH == nil)
    }

    private func identities(
        agent: [PublicKey?] = [], files: [IdentityFile] = [], only: Bool = false, remembered: PublicKey? = nil
    ) throws -> Identities {
        var configuration = SSHConfiguration(originalHost: "web1", hostName: "web1", user: "me")
        configuration.usesOnlyIdentityFiles = only
        let held = try agent.map { AgentClient.Identity(key: try #require($0), comment: "held") }
        return Identities(
            agent: held, files: files, configuration: configuration, signsRSA: false, remembered: remembered)
    }

    @Test func keysThatOnlySSHCanOfferAreLeftToIt() throws {
        let rsa = try identities(agent: [Self.rsa])
        #expect(rsa.candidates.isEmpty)
        #expect(facts { $0.identities = rsa }.reasonForSystemSSH == "agent key held is an RSA key")
        let hardware = try identities(agent: [Self.hardware])
        #expect(facts { $0.identities = hardware }.reasonForSystemSSH == "agent key held is a hardware key")
        let certificate = try identities(agent: [Self.ed25519, Self.certificate])
        #expect(facts { $0.identities = certificate }.reasonForSystemSSH == "agent key held is a certificate")
        // Another key may do; if it does not, the login falls back.
        let mixed = try identities(agent: [Self.rsa, Self.ed25519])
        #expect(facts { $0.identities = mixed }.reasonForSystemSSH == nil)
        #expect(mixed.candidates.count == 1)
        #expect(mixed.unusable.count == 1)
    }

    @Test func keysAreOfferedInSSHsOrder() throws {
        let other = try #require(PublicKey([0, 0, 0, 19] + Array("ecdsa-sha2-nistp256".utf8)))
        let third = try #require(PublicKey([0, 0, 0, 11] + Array("ssh-ed25519".utf8) + [9]))
        let plain = try #require(PrivateKeyFile("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
        let files = [
            IdentityFile(path: "/a", publicKey: third, privateKey: plain),
            IdentityFile(path: "/b", publicKey: other, privateKey: plain),
        ]
        let all = try identities(agent: [Self.ed25519, other], files: files)
        #expect(all.candidates.map(\.key) == [other, Self.ed25519, third])
        let only = try identities(agent: [Self.ed25519, other], files: files, only: true)
        #expect(only.candidates.map(\.key) == [other, third])
        let again = try identities(agent: [Self.ed25519, other], files: files, remembered: third)
        #expect(again.candidates.map(\.key) == [third, other, Self.ed25519])
    }

    @Test func keyFilesTellWhatTheyAreWithoutAPassphrase() {
        #expect(PrivateKeyFile("") == nil)
        #expect(PrivateKeyFile("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----") == nil)
        #expect(PrivateKeyFile("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n")?.type == "ssh-rsa")
        let locked = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\nAAAA\n"
        #expect(PrivateKeyFile(locked)?.isEncrypted == true)
        #expect(PrivateKeyFile("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n")?.isEncrypted == true)
    }

    @Test func theAgentsAnswersAreReadWithoutTrust() throws {
        let good: [UInt8] = [12, 0, 0, 0, 1, 0, 0, 0, 11, 0, 0, 0, 7] + Array("ssh-rsa".utf8) + [0, 0, 0, 1, 65]
        #expect(try AgentClient.parseIdentities(good).map(\.comment) == ["A"])
        for length in 0..<good.count {
            #expect(throws: AgentClient.Failure.badAnswer) { try AgentClient.parseIdentities(Array(good[..<length])) }
        }
        #expect(throws: AgentClient.Failure.badAnswer) {
            try AgentClient.parseIdentities([12, 255, 255, 255, 255])
        }
    }
}
