/// The command lines, word for word.
extension Builder {
    func checkWords(_ source: Source) -> [String] {
        switch source {
        case .flake(let reference): ["nix", "flake", "check", reference] + extraArguments
        case .file(let path):
            ["nix-build", "--no-out-link", "-E", EvaluationExpression.checks(path)] + extraArguments
        }
    }

    func buildWords(_ derivations: [Derivation], usesFlakes: Bool) -> [String] {
        let words =
            usesFlakes
            ? ["nix", "build", "--no-link"] + Installables.build(derivations, nix.version)
            : ["nix-build", "--no-out-link"] + Installables.nixBuild(derivations)
        return words + (keepsGoing ? ["--keep-going"] : []) + extraArguments
    }

    /// `nix build --out-link` would number the links of several paths; on all versions `--add-root` makes the folder.
    func keepWords(_ profile: PlannedProfile, in folder: String) -> [String] {
        ["nix-store", "--realise", profile.path, "--add-root", "\(folder)/\(profile.node)/\(profile.name)"]
    }

    func signWords(_ profiles: [PlannedProfile], key: String) -> [String] {
        ["nix", "store", "sign", "--extra-experimental-features", "nix-command", "-r", "-k", key]
            + Set(profiles.map(\.path)).sorted()
    }
}
