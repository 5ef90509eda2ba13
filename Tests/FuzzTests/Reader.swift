import Shared
import Testing

@testable import Activator
@testable import Deployer

/// Something of ours that reads bytes which others have made.
struct Reader: Sendable, CustomTestStringConvertible {
    /// Also its folder in the corpus.
    let name: String
    /// What means something to it.
    let words: [String]
    /// Reads any bytes and returns what does not hold together in what it read; nil if nothing was wrong.
    let read: @Sendable ([UInt8]) -> String?

    var testDescription: String { name }

    static let all = [
        target, flakeAnswer, nixVersion, nixLog, events, status, journal, sshConfiguration, knownHosts, keys, facts,
    ]

    /// What stands on the command line, from a script or a person.
    static let target = Reader(name: "target", words: ["#", ".", "\"", "${", "$${", "\\\"", "web1", "path:."]) {
        bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        guard let found = try? Target(text), let node = found.node else { return nil }
        let names = [node] + (found.profile.map { [$0] } ?? [])
        // What was read can be written, and is then read the same.
        let written = ".#" + names.map { NixText.string($0) }.joined(separator: ".")
        let again = try? Target(written)
        return again?.node == node && again?.profile == found.profile ? nil : "not read again: \(written)"
    }

    /// The `deploy` attribute, as Nix prints it.
    static let flakeAnswer = Reader(
        name: "flake-answer",
        words: [
            "\"type\":\"set\"", "\"childrenType\"", "\"children\":{", "\"values\":{", "\"unknown\":[", "\"names\":[",
        ]
    ) { bytes in
        guard let value = try? JSONValue(parsing: bytes) else { return nil }
        var decoder = DeploymentDecoder()
        let deployment = decoder.deployment(value)
        let told = decoder.problems.map(\.description).joined().utf8.count
        return deployment.nodes.count <= bytes.count && told <= 1000 * bytes.count ? nil : "more than was there"
    }

    static let nixVersion = Reader(name: "nix-version", words: ["nix (Nix) ", "2.8", ".", "pre", "Lix"]) { bytes in
        let version = NixVersion(parsing: String(decoding: bytes, as: UTF8.self))
        return (version?.major ?? 0) >= 0 ? nil : "a negative version"
    }

    /// Nix's records of what it does, with whatever builders write among them.
    static let nixLog = Reader(
        name: "nix-log",
        words: [
            "@nix {", "\"action\":\"start\"", "\"action\":\"result\"", "\"id\":1", "\"type\":104", "\"type\":105",
            "\"fields\":[1,2,3,4]",
        ]
    ) { bytes in
        var log = NixLog(words: ["nix", "build", "-L"])
        let together = CountsTogether { _ in }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            _ = log.add(String(line))
            for program in ["one", "two"] { together.take(log.counts, of: program) }
        }
        return log.counts.bytes >= 0 && log.counts.builds.done >= 0 ? nil : "a negative count"
    }

    /// What an agent writes, whichever version it has and whatever its login shell adds.
    static let events = Reader(
        name: "events", words: ["\"event\":\"", "verdict", "\"generation\":", "\"number\":", "output", "\n{", "}\n"]
    ) { bytes in
        let whole = lines(bytes[...])
        let middle = bytes.count / 2
        guard lines(bytes[..<middle], bytes[middle...]) == whole else { return "not the same in two pieces" }
        for case .event(let event) in whole where !isWrittenAlike(event) { return "not the same again: \(event)" }
        return nil
    }

    static let status = Reader(name: "status", words: ["\"activation\":{", "\"state\":\"", "\"holder\":{"]) { bytes in
        let result = RemoteResult(exit: .code(0), output: bytes, errorOutput: bytes)
        guard let status = ProfileStatus(lastLineOf: result) else { return nil }
        return isWrittenAlike(status) ? nil : "not the same again: \(status)"
    }

    /// The agent's own record, after whatever a disk has done to it.
    static let journal = Reader(
        name: "journal", words: ["\"state\":\"", "\"progress\":{", "\"policy\":{", "\"version\":2", "rollingBack"]
    ) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        guard let record = try? JSONLine.decode(Record.self, from: text) else { return nil }
        guard isWrittenAlike(record) else { return "not the same again: \(record)" }
        let remains = Activation.Remains(state: record.state, isConfirmed: true, reason: record.reason)
        let (machine, effect) = Activation.resuming(remains, record.policy)
        if case .ended = machine.phase, case .undo? = effect { return "a verdict is undone" }
        return nil
    }

    static let sshConfiguration = Reader(
        name: "ssh-configuration", words: ["\nhostname ", "\nuser ", "\nport ", "\nproxyjump ", "none", "\nciphers "]
    ) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        guard let found = SSHConfiguration(parsing: text, originalHost: "web1") else { return nil }
        if found.hostName.isEmpty || found.user.isEmpty { return "no host or no user" }
        return found.serverAliveCount >= 1 && found.passwordPrompts >= 0 ? nil : "negative numbers"
    }

    static let knownHosts = Reader(name: "known-hosts", words: ["# Host web1 found: line ", "@revoked ", "ssh-rsa "]) {
        bytes in
        let hosts = KnownHosts.parse(String(decoding: bytes, as: UTF8.self), file: "f")
        return hosts.allSatisfy { !$0.key.type.isEmpty } ? nil : "a key of no type"
    }

    /// Keys and messages of an SSH agent, in files and on the wire.
    static let keys = Reader(
        name: "keys", words: ["-----BEGIN OPENSSH PRIVATE KEY-----\n", "\n-----END", "AAAA", "Proc-Type: 4,ENCRYPTED"]
    ) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        _ = PrivateKeyFile(text)
        var reader = WireReader(bytes)
        while reader.string() != nil {}
        guard let key = PublicKey(line: text) else { return nil }
        return PublicKey(base64: key.base64) == key ? nil : "not the same again: \(key)"
    }

    /// What a login shell answers to the first question, with any banner around it.
    static let facts = Reader(
        name: "node-facts", words: ["\nM system ", "\nM elevation 0 ", "\nM status 0 ", "\nM end", "M daemon "]
    ) { bytes in
        let group = NodeFactsQuery.Group(elevation: ["sudo", "-u", "app"], profiles: [.path("/p")])
        let query = NodeFactsQuery(agents: ["/nix/store/a"], groups: [group], marker: "M")
        guard let facts = try? query.parse(String(decoding: bytes, as: UTF8.self)) else { return nil }
        return facts.elevations.count + facts.statuses.count <= 2 ? nil : "an elevation that nobody asked for"
    }

    private static func isWrittenAlike<Value: Codable & Equatable>(_ value: Value) -> Bool {
        let text = try? JSONLine.encode(value)
        return text.flatMap { try? JSONLine.decode(Value.self, from: $0) } == value
    }

    private static func lines(_ pieces: ArraySlice<UInt8>...) -> [EventReader.Line] {
        var reader = EventReader()
        return pieces.flatMap { reader.add(.stdout(Array($0))) } + reader.finish()
    }
}
