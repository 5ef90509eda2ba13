import Foundation
import Shared
import Testing

/// How closures get into a node's store where the usual way is not there, and what is not sent at all.
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct CopyWayTests {
    private static let program = "/usr/bin/nix-daemon"

    /// As on a single-user installation that was thinned out; both transports, and a node that builds for itself.
    @Test(arguments: ["libssh2", "openssh"])
    func aNodeWithoutNixDaemonTakesItsClosuresOverNixStore(transport: String) async throws {
        try await Scene.with { scene in
            try await scene.node.shell("lab-service nix-daemon stop; rm \(Self.program)")
            let words = ["-d", "--ssh-transport", transport]
            let result = try await scene.deploy("one", words)
            expect(result, is: .done, says: "there is no nix-daemon: copies go over ssh://", "--to ssh://")
            expect(result, saysNot: "--to unix://")
            expect(try await scene.deploy("two", words + ["--remote-build"]), is: .done)
            #expect(try await scene.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    /// No program is started for it, and none is even needed.
    @Test func whatRunsOnTheNodeTakesTheClosuresThroughItsSocket() async throws {
        try await Scene.with { scene in
            try await scene.node.shell(
                "printf '#!/bin/sh\\nexit 3\\n' >/tmp/d; rm \(Self.program); install -m 0755 /tmp/d \(Self.program)")
            let result = try await scene.deploy("one", ["-d"])
            expect(result, is: .done, says: "--to unix://")
            expect(result, saysNot: "does not lead")
            #expect(try await scene.state().marks == ["one"])
        }
    }

    /// The daemon that runs takes nothing unsigned from anybody; one that root starts does from root.
    @Test func whereTheDaemonDoesNotTrustRootOneIsStartedThatDoes() async throws {
        try await Scene.with { scene in
            try await scene.node.shell("echo 'trusted-users = app' >>/etc/nix/nix.conf; lab-service nix-daemon restart")
            let result = try await scene.deploy("one", ["-d"])
            expect(
                result, is: .done,
                says: "the daemon's socket does not lead to the node's store, nix-daemon --stdio is tried", "signature")
            #expect(try await scene.state().marks == ["one"])
        }
    }

    /// A daemon that is gone leaves its socket's file.
    @Test(arguments: [true, false])
    func whereTheSocketCannotBeReachedADaemonIsStarted(isForbidden: Bool) async throws {
        try await Scene.with { scene in
            if isForbidden {
                try await scene.lab.sshd("web1", "AllowStreamLocalForwarding no")
                try await scene.node.shell("lab-service sshd restart")
            } else {
                try await scene.node.shell("lab-service nix-daemon stop; test -S /nix/var/nix/daemon-socket/socket")
            }
            let result = try await scene.deploy("one", ["-d"])
            // It is known before anything is copied.
            expect(
                result, is: .done, says: "the SSH server connects to no /nix/var/nix/daemon-socket/socket",
                "nix-daemon --stdio is used")
            expect(result, saysNot: "does not lead")
            #expect(try await scene.state().marks == ["one"])
        }
    }

    /// As a daemon does that takes no connections from this user, or crashes.
    @Test func whereTheDaemonClosesBeforeNixIsDoneOneIsStarted() async throws {
        try await Scene.with { scene in
            let socket = "/nix/var/nix/daemon-socket/socket"
            let listener =
                "$s = IO::Socket::UNIX->new(Local => '\(socket)', Listen => 5) or die; exit if fork; "
                + "while ($c = $s->accept) { close $c }"
            try await scene.node.shell(
                "lab-service nix-daemon stop; rm -f \(socket); setsid perl -MIO::Socket::UNIX -e "
                    + "\(shellQuoted(listener)) </dev/null >/dev/null 2>&1")
            let result = try await scene.deploy("one", ["-d"])
            expect(
                result, is: .done,
                says: "nix-daemon --stdio is tried: the daemon on the node closed its end of \(socket)")
            #expect(try await scene.state().marks == ["one"])
        }
    }

    /// As with a Nix that does not know the option; another port and a password go with the session.
    @Test func whereNixDaemonDoesNotServeTheNextWaysAreTriedOnceAndTold() async throws {
        try await Scene.with { scene in
            try await scene.node.shell(
                "printf '#!/bin/sh\\necho unknown option >&2; exit 3\\n' >/tmp/d; rm \(Self.program); "
                    + "install -m 0755 /tmp/d \(Self.program)")
            try await scene.lab.sshd("web1", "Port 22\nPort 2222\nAllowStreamLocalForwarding no")
            try await scene.node.shell("lab-service sshd restart")
            let result = try await scene.deploy("one", ["-d", "--ssh-opts", "-p 2222"])
            let failure = "`\(Self.program) --stdio` on the node ended with exit status 3"
            expect(
                result, is: .done,
                says: "nix-daemon --stdio does not lead to the node's store, ssh-ng:// is tried: \(failure)",
                "unknown option", "ssh-ng:// does not lead to the node's store, ssh:// is tried: \(failure)")
            // The agent and the closure, and what was learned with the first holds for the second.
            #expect(result.errorText.components(separatedBy: "--to unix://").count == 2)
            #expect(result.errorText.components(separatedBy: "--to ssh://").count == 3)
            #expect(try await scene.state().marks == ["one"])
            let shown = try await scene.deploy("two", ["--ssh-opts", "-p 2222"])
            expect(shown, is: .done)
            expect(shown, saysNot: "does not lead")
        }
    }

    @Test func whatNoWayLeadsToIsToldWithEachReasonAndNothingChanges() async throws {
        try await Scene.with { scene in
            try await scene.deployed("one")
            try await scene.node.shell("lab-service nix-daemon stop")
            let text = "#!/bin/sh\\necho broken as ${0##*/} >&2; exit 3\\n"
            try await scene.node.shell(
                "printf '\(text)' >/tmp/d; for p in \(Self.program) /usr/bin/nix-store; do "
                    + "rm $p; install -m 0755 /tmp/d $p; done")
            let result = try await scene.deploy("two")
            expect(
                result, is: .failed, says: "the node's store cannot be reached in any way", "broken as nix-daemon",
                "broken as nix-store", "nothing was activated")
            #expect(try await scene.state() == .init(current: 1, generations: [1], marks: ["one"]))
        }
    }

    @Test func onlyANodeWithoutAnyNixIsRefused() async throws {
        try await Scene.with { scene in
            try await scene.node.shell("rm \(Self.program) /usr/bin/nix-store")
            let result = try await scene.deploy("one")
            expect(result, is: .failed, says: "Nix is not on the node", "install Nix there")
        }
    }

    /// The deployer's Nix of the machine itself, and those of Debian trees.
    static let deployers: [(root: String?, version: String)] =
        [(nil, "nix")] + [("trixie", "2.26"), ("forky", "2.34")].filter { DebianRoot.folder($0.0) != nil }

    @Test(arguments: deployers)
    func whatTheNodesOwnCacheHoldsIsNotSent(root: String?, version: String) async throws {
        try await Scene.with { scene in
            let base = try await deployWithCache(scene, root, version, "fastConnection = false;")
            // What is sent from here has no signature.
            #expect(try await scene.node.signatures(base).contains("cache-1:"))
            #expect(try await scene.node.signatures(scene.node.profile()).isEmpty)
        }
    }

    @Test func overAFastConnectionItIsSentAllTheSame() async throws {
        try await Scene.with { scene in
            let base = try await deployWithCache(scene, nil, "nix", "fastConnection = true;")
            #expect(try await scene.node.signatures(base).isEmpty)
        }
    }

    /// The agent is what goes to a fresh node first, in some 6 seconds uncompressed.
    @Test(arguments: ["libssh2", "openssh"])
    func overASlowLinkCopiesAreCompressedUnlessThatIsOff(transport: String) async throws {
        try await Scene.with { scene in
            try await scene.lab.tool("rate", "web1", "16")
            let words = ["-d", "--compress", "auto", "--ssh-transport", transport]
            let told = "what is not there yet goes compressed"
            let result = try await scene.deploy("one", words)
            expect(result, is: .done, says: "web1: info: the link takes ", told)
            #expect(result.errorText.components(separatedBy: told).count == 2)
            if transport == "libssh2" { expect(result, is: .done, says: "zlib") }
            #expect(try await scene.state().marks == ["one"])
        }
    }

    @Test func compressionIsSwitchedByOptionAndBySSHConfiguration() async throws {
        try await Scene.with { scene in
            try await scene.lab.tool("rate", "web1", "16")
            let off = try await scene.deploy("one", ["-d", "--compress", "off", "--ssh-opts", "-C"])
            expect(off, is: .done)
            expect(off, saysNot: "compressed", "zlib")
            for words in [["--compress", "on"], ["--compress", "auto", "--ssh-opts", "-C"]] {
                let on = try await scene.deploy("two", ["-d", "--force"] + words)
                expect(on, is: .done, says: "zlib")
                expect(on, saysNot: "compressed")
            }
        }
    }

    /// Deploys a closure whose base is in a signed binary cache on the node; the base's path.
    private func deployWithCache(
        _ scene: Scene, _ root: String?, _ version: String, _ top: String
    ) async throws -> String {
        let lab = scene.lab
        try scene.fixture.write([.init(activation: "cat $PROFILE/version")], version: "cached", top: top)
        let found = try await lab.run(["nix", "--version"], root: root)
        #expect(found.text.contains(version), "\(found.text)")
        let base = try await lab.built("system-cached", scene.fixture, root: root)
        let (key, cache) = ("\(lab.folder)/key", "\(lab.folder)/nodes/web1/disk/root/cache")
        let made = ["nix-store", "--generate-binary-cache-key", "cache-1", key, "\(key).pub"]
        try #require(try await lab.run(made, root: root).exit.isSuccess)
        let copied = try await lab.run(["nix", "copy", "--to", "file://\(cache)?secret-key=\(key)", base], root: root)
        try #require(copied.exit.isSuccess, "\(copied.errorText)")
        let known = trimmed(try String(contentsOfFile: "\(key).pub", encoding: .utf8))
        try await scene.node.shell(
            "printf 'substituters = file:///root/cache\\ntrusted-public-keys = \(known)\\n' >>/etc/nix/nix.conf; "
                + "lab-service nix-daemon restart")
        let words = ["\(Lab.prefix ?? "")/bin/deploy", "--skip-checks", scene.fixture.flake]
        expect(try await lab.run(words, root: root), is: .done, says: "deployed and confirmed on generation 1")
        return base
    }
}

/// Debian trees with other versions of Nix, as far as they have been made (`lab root SUITE`).
enum DebianRoot {
    static func folder(_ suite: String) -> String? {
        let environment = currentEnvironment()
        let cache = environment["XDG_CACHE_HOME"] ?? "\(environment["HOME"] ?? "")/.cache"
        let folder = "\(cache)/deploy-swift/roots/\(suite)"
        return FileManager.default.fileExists(atPath: "\(folder)/usr/bin/nix") ? folder : nil
    }
}

extension Lab {
    /// As ``run(_:input:environment:timeLimit:)``, with the programs of a Debian tree; the machine's own if nil.
    fileprivate func run(_ words: [String], root: String?) async throws -> LocalResult {
        let options = root.flatMap(DebianRoot.folder).map { ["--root", $0] } ?? []
        return try await command([Lab.root + "/lab/lab", "run"] + options + ["--"] + words)
            .run(timeLimit: .seconds(120))
    }

    /// Builds the fixture's base of this name and gives its path.
    fileprivate func built(_ name: String, _ fixture: Fixture, root: String?) async throws -> String {
        let profile = "\(fixture.flake)#deploy.nodes.web1.profiles.system.path"
        let flags = ["nix", "--extra-experimental-features", "nix-command flakes"]
        let built = try await run(flags + ["build", "--no-link", "--json", profile], root: root)
        try #require(built.exit.isSuccess, "\(built.errorText)")
        let path = try await run(flags + ["eval", "--raw", profile], root: root)
        let closure = try await run(["nix-store", "-qR", trimmed(path.text)], root: root)
        return try #require(closure.text.split(separator: "\n").first { $0.hasSuffix(name) }.map(String.init))
    }
}

extension Node {
    /// The signatures that its store has of a path.
    fileprivate func signatures(_ path: String) async throws -> String {
        let text = try await shell("nix --extra-experimental-features nix-command path-info --sigs \(path)")
        return trimmed(text.replacing(path, with: ""))
    }
}
