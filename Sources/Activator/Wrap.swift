import Shared

/// The builder of an activatable closure: links to all that the base holds, the activation script, and the agent.
///
/// Attributes: `base`, a store path; `script`, passed as a file; `agent`, an executable in the store.
struct Wrap {
    /// What a wrapper adds; a base that holds one of these is refused, as deploy-rs's `buildEnv` does.
    static let scriptName = "deploy-rs-activate"
    static let agentName = "activate-rs"

    let base: String
    let script: [UInt8]
    /// Absolute path; without it the closure gets no `activate-rs`.
    let agent: String?
    let output: String

    init(base: String, script: [UInt8], agent: String?, output: String) {
        self.base = base
        self.script = script
        self.agent = agent
        self.output = output
    }

    init(_ attributes: BuilderAttributes) throws {
        self.init(
            base: try attributes.text("base"),
            script: try attributes.file("script"),
            agent: attributes.optionalText("agent"),
            output: try attributes.text("out")
        )
    }

    /// Makes the closure; on an error what was made so far is left, and Nix throws it away.
    ///
    /// - Throws: ``BuilderError``, `SystemError`
    func run() throws {
        guard BuilderFiles.isFolder(base) else { throw BuilderError.baseIsNoFolder(base) }
        let entries = try BuilderFiles.names(in: base)
        for name in [Self.scriptName, Self.agentName] where entries.contains(name) {
            throw BuilderError.baseHolds(entry: name, base: base)
        }
        try BuilderFiles.makeFolder(output)
        for entry in entries { try BuilderFiles.link("\(output)/\(entry)", to: "\(base)/\(entry)") }
        try BuilderFiles.write(script, to: "\(output)/\(Self.scriptName)", mode: 0o555)
        if let agent { try BuilderFiles.link("\(output)/\(Self.agentName)", to: agent) }
    }
}

/// The builder of a folder of executables: `files` is JSON, a path in the result for each file in the store.
struct WrapPackage {
    let files: [String: String]
    let output: String

    init(files: [String: String], output: String) {
        self.files = files
        self.output = output
    }

    init(_ attributes: BuilderAttributes) throws {
        self.init(files: try attributes.json([String: String].self, "files"), output: try attributes.text("out"))
    }

    /// Copies rather than links: a program finds what lies beside it through its own, resolved path.
    func run() throws {
        for (place, source) in files.sorted(by: { $0.key < $1.key }) {
            let path = "\(output)/\(place)"
            if let slash = path.lastIndex(of: "/") { try makeFolders(String(path[..<slash])) }
            try BuilderFiles.copy(source, to: path, mode: 0o555)
        }
    }
}
