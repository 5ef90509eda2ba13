import Shared
import Testing

/// A fresh node and a flake with the one profile `system`, which leaves the name of each version that it activates.
struct Scene: Sendable {
    let lab: Lab
    let node: Node
    let fixture: Fixture

    /// Where the profile is, as seen on the node.
    struct State: Equatable {
        /// What the link names; nil if there is no link.
        var current: Int?
        var generations: [Int]
        /// The versions activated, oldest first.
        var marks: [String]
    }

    static func with(_ options: [String] = [], _ work: (Scene) async throws -> Void) async throws {
        try await Lab.withNode(options: options) { lab, node in
            try await work(Scene(lab: lab, node: node, fixture: try Fixture(in: lab)))
        }
    }

    /// Writes the flake: this version's activation leaves its mark, then does what follows.
    func write(_ version: String, then: String = "true", extra: String = "") throws {
        let activation = "\(Script.mark(version))\n\(then)"
        try fixture.write([.init(activation: activation, extra: extra)], version: version)
    }

    func deploy(
        _ version: String, then: String = "true", extra: String = "", _ words: [String] = []
    ) async throws -> LocalResult {
        try write(version, then: then, extra: extra)
        return try await lab.deploy([fixture.flake] + words)
    }

    func start(
        _ version: String, then: String = "true", extra: String = "", _ words: [String] = []
    ) throws -> RunningDeploy {
        try write(version, then: then, extra: extra)
        return try lab.start([fixture.flake] + words)
    }

    /// Deploys versions that have to succeed, one after the other.
    func deployed(_ versions: String..., then: String = "true", sourceLocation: SourceLocation = #_sourceLocation)
        async throws
    {
        for version in versions {
            let result = try await deploy(version, then: then)
            try #require(result.exit == .code(0), "\(result.errorText)", sourceLocation: sourceLocation)
        }
    }

    /// What `deploy status` says.
    func status() async throws -> LocalResult {
        try await lab.run(["\(Lab.prefix ?? "")/bin/deploy", "status", fixture.flake])
    }

    func state() async throws -> State {
        State(
            current: try await node.generation(), generations: try await node.generations(),
            marks: try await node.marks())
    }
}

/// Expects that a finished `deploy` ended so, and said all of this.
func expect(
    _ result: LocalResult, is code: ExitCode, says parts: String..., sourceLocation: SourceLocation = #_sourceLocation
) {
    let text = result.errorText + "\n" + result.text
    #expect(result.exit == .code(code.rawValue), "\(text)", sourceLocation: sourceLocation)
    for part in parts {
        #expect(text.contains(part), "\"\(part)\" is not in: \(text)", sourceLocation: sourceLocation)
    }
}

/// Expects that a `deploy` that was watched ends so, and has said all of this.
func expect(
    _ run: RunningDeploy, endsAs code: ExitCode, says parts: String...,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let exit = try await run.exit()
    #expect(exit == .code(code.rawValue), "\(run.text)", sourceLocation: sourceLocation)
    for part in parts {
        #expect(run.text.contains(part), "\"\(part)\" is not in: \(run.text)", sourceLocation: sourceLocation)
    }
}

/// Expects that the table at the end of a run has a row that begins so, whatever its columns' widths.
func expect(_ text: String, hasRow row: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let rows = text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    #expect(rows.contains { $0.hasPrefix(row + " ") }, "\"\(row)\" is not in: \(text)", sourceLocation: sourceLocation)
}
