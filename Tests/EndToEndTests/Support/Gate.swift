import Shared

/// Holds one of Nix's programs on a node where a test wants it, as a slow disk would: before it does its work, or after.
struct Gate: Sendable {
    let node: Node
    var program = "nix-env"

    /// Puts a program of that name in front of Nix's own.
    func install() async throws {
        let text = """
            #!/bin/sh
            hold() { touch /root/held; until [ -e /root/go ]; do sleep 0.05; done; }
            holds() { case " $* " in *" $(cat /root/gate-$when 2>/dev/null || echo none) "*) ;; *) return 1 ;; esac; }
            when=before; if holds "$@"; then hold; fi
            when=after; if holds "$@"; then /usr/bin/\(program) "$@"; hold; exit; fi
            exec /usr/bin/\(program) "$@"
            """
        let file = "/usr/local/bin/\(program)"
        try await node.shell("cat >\(file) <<'END'\n\(text)\nEND\nchmod 755 \(file)")
    }

    /// Has the next one with this word wait; nothing is held before.
    func close(_ when: String, _ word: String) async throws {
        try await open()
        try await node.shell("echo '\(word)' >/root/gate-\(when)")
    }

    /// Lets whatever comes from now on through; what is held stays held.
    func open() async throws { try await node.shell("rm -f /root/gate-* /root/held /root/go") }
}

/// A moment in an activation at which a test can hold it.
enum Step: String, CaseIterable, Sendable {
    /// The journal says that the profile is being set; the link has not moved.
    case setting
    /// The link has moved, the journal does not say so yet.
    case moved
    case script
    case awaiting
    /// The script has failed; the link is still on the new generation.
    case rollingBack

    /// What the activation does after its mark.
    var script: String {
        switch self {
        case .setting, .moved: "true"
        case .script, .awaiting: Script.hold
        case .rollingBack: "exit 1"
        }
    }

    /// The activation has left its mark by then, so that the rollback has to activate the old generation again.
    var isActivated: Bool { self != .setting && self != .moved }
}

extension Scene {
    /// Starts the deploy of a version, and returns once it is held at this step; for ``Step/awaiting`` with the cable
    /// cut.
    func start(_ version: String, heldAt step: Step, _ words: [String] = []) async throws -> RunningDeploy {
        let gate = Gate(node: node)
        switch step {
        case .setting: try await gate.close("before", "--set")
        case .moved: try await gate.close("after", "--set")
        case .rollingBack: try await gate.close("before", "--switch-generation")
        case .script, .awaiting: try await gate.open()
        }
        let run = try start(version, then: step.script, words)
        try await node.waits(for: Script.isHeld)
        if step == .awaiting {
            try await lab.tool("cut", "web1")
            try await node.shell(Script.release)
            try await node.waits(for: Script.isAwaiting)
        }
        // Whoever finishes the work must not be held as well.
        try await node.shell("rm -f /root/gate-*")
        return run
    }
}
