import Shared

/// The builder that tells whether every profile can be activated.
///
/// Attribute: `profiles`, passed as a file, JSON: a list of ``Profile``.
struct CheckActivate {
    struct Profile: Decodable, Equatable {
        var node: String
        var profile: String
        /// Absolute store path.
        var path: String

        var label: String { "\(NixName(node)).\(NixName(profile))" }
    }

    let profiles: [Profile]
    let output: String

    init(profiles: [Profile], output: String) {
        self.profiles = profiles
        self.output = output
    }

    init(_ attributes: BuilderAttributes) throws {
        self.init(profiles: try attributes.json([Profile].self, "profiles"), output: try attributes.text("out"))
    }

    /// Makes the output, a line that says what was checked.
    ///
    /// - Throws: ``BuilderError/problems(_:)`` with one line for each profile that cannot be activated
    func run() throws {
        let problems = profiles.compactMap(problem)
        guard problems.isEmpty else { throw BuilderError.problems(problems) }
        for warning in profiles.compactMap(warning) { Builder.report("activate: warning: \(warning)") }
        let labels = profiles.map(\.label).joined(separator: " ")
        try BuilderFiles.write(Array("can be activated: \(labels)\n".utf8), to: output, mode: 0o444)
    }

    func problem(_ profile: Profile) -> String? {
        let script = "\(profile.path)/\(Wrap.scriptName)"
        if isRunnable(script) || isSystem(profile) { return nil }
        if BuilderFiles.exists(script) { return "\(profile.label): \(script) is not an executable file" }
        guard BuilderFiles.isFolder(profile.path) else {
            return "\(profile.label): its path \(profile.path) is not a folder"
        }
        return "\(profile.label): \(profile.path) holds no \(Wrap.scriptName); "
            + "wrap it with lib.<system>.activate.custom, .nixos, .home-manager, .darwin or .noop"
    }

    /// A plain NixOS system needs no script of ours.
    private func isSystem(_ profile: Profile) -> Bool {
        !BuilderFiles.exists("\(profile.path)/\(Wrap.scriptName)")
            && isRunnable("\(profile.path)/\(NixOSSystem.switchName)")
    }

    /// Only deploy-rs's own `deploy` needs `activate-rs`; this project's brings an agent along.
    func warning(_ profile: Profile) -> String? {
        if isRunnable("\(profile.path)/\(Wrap.agentName)") { return nil }
        return "\(profile.label): \(profile.path) holds no \(Wrap.agentName): deploy-rs's deploy cannot activate it"
    }
}
