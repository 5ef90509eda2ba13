import Shared
import Testing

@testable import Deployer

struct SSHConfigurationTests {
    private static let sample = """
        host web1
        user deploy
        hostname 192.0.2.7
        port 2222
        addressfamily inet6
        batchmode no
        compression yes
        forwardagent no
        gssapiauthentication yes
        stricthostkeychecking accept-new
        hashknownhosts yes
        numberofpasswordprompts 2
        serveralivecountmax 3
        serveraliveinterval 0
        ciphers aes128-ctr,aes256-ctr
        identityfile ~/.ssh/id_ed25519
        identityfile none
        globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
        userknownhostsfile /home/me/.ssh/known_hosts none
        connecttimeout none
        proxycommand none
        proxyjump a,b@[::1]:2200
        hostkeyalias web
        pubkeyauthentication unbound
        pubkeyacceptedalgorithms ssh-ed25519,rsa-sha2-512
        some-new-option with a value
        setenv A=b
        """

    @Test func aMissingSSHIsNamedAsThatAndNoNodeIsBlamed() async {
        let error = await #expect(throws: SSHError.self) {
            try await SSHConfiguration.resolve(
                Destination(host: "h", user: "u", options: []), environment: ["PATH": "/nowhere"])
        }
        #expect(error == .noProgram)
        let failure = StageFailure(node: NodeName("n"), profile: nil, stage: .preflight, cause: SSHError.noProgram)
        #expect(Failure.code(of: failure) == .failed)
    }

    @Test func theOutputOfSSHIsUnderstood() throws {
        let configuration = try #require(SSHConfiguration(parsing: Self.sample, originalHost: "web1"))
        #expect(configuration.hostName == "192.0.2.7")
        #expect(configuration.user == "deploy")
        #expect(configuration.port == 2222)
        #expect(configuration.addressFamily == .ipv6)
        #expect(configuration.strictHostKeyChecking == .acceptNew)
        #expect(configuration.hashesKnownHosts)
        #expect(configuration.serverAliveInterval == nil)
        #expect(configuration.connectTimeout == nil)
        #expect(configuration.proxyCommand == nil)
        #expect(configuration.proxyJump == "a,b@[::1]:2200")
        #expect(configuration.identityFiles == ["~/.ssh/id_ed25519"])
        #expect(configuration.userKnownHostsFiles == ["/home/me/.ssh/known_hosts"])
        #expect(configuration.globalKnownHostsFiles.count == 2)
        #expect(configuration.ciphers == ["aes128-ctr", "aes256-ctr"])
        #expect(configuration.passwordPrompts == 2)
        #expect(configuration.allowsPublicKey)
        #expect(configuration.needsSystemSSH == ["SetEnv"])
        #expect(configuration.knownHostName == "web")
        #expect(configuration.displayName == "web1 (192.0.2.7)")
        #expect(configuration.methods == ["publickey", "keyboard-interactive", "password"])
    }

    @Test(arguments: [
        "", "\n\n", "hostname", "hostname a", "user b", String(repeating: "x ", count: 100_000), "port 99999999\nuser",
        "\u{0}\u{FFFD}", "hostname \n user ",
    ])
    func whatIsNoConfigurationIsNone(text: String) {
        #expect(SSHConfiguration(parsing: text, originalHost: "a") == nil)
    }

    @Test(arguments: [("yes", true), ("no", false), ("UNKNOWN", true)])
    func compressionIsReadAsAnyOpenSSHTellsIt(value: String, compresses: Bool) throws {
        let text = "hostname h\nuser u\ncompression \(value)\n"
        #expect(try #require(SSHConfiguration(parsing: text, originalHost: "h")).compresses == compresses)
    }

    @Test func noValueMakesTheParserFail() throws {
        let odd = ["-1", "99999999999999999999", "", " ", "none", "yes", "é", "%", "a b c", ","]
        for line in Self.sample.split(separator: "\n") {
            let key = line.prefix { $0 != " " }
            for value in odd {
                let text = "\(key) \(value)\n" + Self.sample
                #expect(SSHConfiguration(parsing: text, originalHost: "web1") != nil)
            }
        }
    }

    @Test func wordsForSSHHaveTheUserFirstAndTheHostLast() {
        let destination = Destination(host: "[fe80::1]", user: "-x", options: ["-p", "22", "-oPort=1"])
        #expect(
            destination.sshWords(["ssh", "-G"]) == ["ssh", "-G", "-l", "-x", "-p", "22", "-oPort=1", "--", "fe80::1"])
    }

    @Test(arguments: [
        ([], nil, nil), (["-F", "file"], "file", nil), (["-Ffile", "-p22"], "file", nil),
        (["-4AF", "file"], "file", nil),
        (["-o", "-F", "-p", "22"], nil, nil), (["-p", "22", "stray"], nil, "stray"), (["-F"], nil, nil),
        (["-i", "key", "-vvv", "-oA=b"], nil, nil), (["-p 2222"], nil, nil),
    ])
    func optionsAreReadAsSSHReadsThem(words: [String], file: String?, stray: String?) {
        let options = SSHOptions(words)
        #expect(options.configurationFile == file)
        #expect(options.strayWord == stray)
    }

    private func expansion(_ change: (inout SSHConfiguration) -> Void = { _ in }) -> Expansion {
        var configuration = SSHConfiguration(originalHost: "web1", hostName: "192.0.2.7", user: "deploy")
        change(&configuration)
        return Expansion(
            configuration: configuration, home: "/home/me", localUser: "me", localUserID: 1000,
            localHost: "laptop.example.org", environment: ["KEYS": "/keys"])
    }

    @Test(arguments: [
        ("~/.ssh/id", "/home/me/.ssh/id"), ("~", "/home/me"), ("~other/id", "~other/id"),
        ("%d/%u-%i", "/home/me/me-1000"),
        ("/k/%r@%h:%p", "/k/deploy@192.0.2.7:22"), ("%n %L %l %%", "web1 laptop laptop.example.org %"),
        ("${KEYS}/id", "/keys/id"), ("${KEYS", "${KEYS"), ("$KEYS", "$KEYS"),
    ])
    func tokensArePutIn(text: String, expected: String) throws {
        #expect(try expansion().path(text) == expected)
    }

    @Test(arguments: [
        ("%C", Expansion.Failure.unknownToken("C")), ("50%", .unknownToken("%")), ("${NONE}", .unknownVariable("NONE")),
    ])
    func whatCannotBePutInIsNamed(text: String, failure: Expansion.Failure) {
        #expect(throws: failure) { try expansion().path(text) }
    }

    @Test func aJumpIsBuiltAsSSHBuildsIt() throws {
        let one = expansion { $0.proxyJump = "gate" }
        #expect(
            try ProxyPlan(one.configuration, one) == .jump(["ssh", "-W", "[192.0.2.7]:22", "--", "gate"]))
        let two = expansion {
            $0.proxyJump = "a,ssh://b@[fe80::1]:2200/"
            $0.configurationFile = "/etc/own"
            $0.port = 2222
        }
        let words = [
            "ssh", "-F", "/etc/own", "-l", "b", "-p", "2200", "-J", "a", "-W", "[192.0.2.7]:2222", "--", "fe80::1",
        ]
        #expect(try ProxyPlan(two.configuration, two) == .jump(words))
        let command = expansion { $0.proxyCommand = "nc -X 5 %h %p" }
        #expect(try ProxyPlan(command.configuration, command) == .command("nc -X 5 192.0.2.7 22"))
        #expect(try ProxyPlan(expansion().configuration, expansion()) == .direct)
    }

    @Test(arguments: [
        ("host", "host", nil, nil), ("me@host:22", "host", "me", "22"), ("a@b@host", "host", "a@b", nil),
        ("[::1]", "::1", nil, nil), ("me@[::1]:22", "::1", "me", "22"), ("fe80::1", "fe80::1", nil, nil),
    ])
    func aHopIsTakenApart(text: String, host: String, user: String?, port: String?) throws {
        let hop = try #require(JumpHop(text))
        #expect(hop.host == host)
        #expect(hop.user == user)
        #expect(hop.port == port)
    }
}
