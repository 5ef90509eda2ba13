/// Derivations as words of Nix's command lines.
enum Installables {
    /// For `nix build`: the outputs named as this version wants it.
    ///
    /// Before 2.15 `x.drv` stands for all its outputs; from then on it stands for the file, and `x.drv^out` for outputs.
    static func build(_ derivations: [Derivation], _ version: NixVersion) -> [String] {
        merged(derivations).map { derivation in
            version.needsOutputNames
                ? derivation.path + "^" + derivation.outputs.joined(separator: ",")
                : derivation.path
        }
    }

    /// For `nix-build`, which takes one output a word.
    static func nixBuild(_ derivations: [Derivation]) -> [String] {
        merged(derivations).flatMap { derivation in derivation.outputs.map { "\(derivation.path)!\($0)" } }
    }

    /// Each derivation once, with all outputs that are wanted of it; sorted by path.
    static func merged(_ derivations: [Derivation]) -> [Derivation] {
        var outputs: [String: Set<String>] = [:]
        for derivation in derivations { outputs[derivation.path, default: []].formUnion(derivation.outputs) }
        return outputs.sorted { $0.key < $1.key }.map { Derivation(path: $0.key, outputs: $0.value.sorted()) }
    }
}

extension Plan {
    /// What has to be built here.
    var localDerivations: [Derivation] {
        Installables.merged(profiles.filter { !$0.remoteBuild }.flatMap(\.derivations))
    }
}

extension PlannedNode {
    /// The profiles that the node builds itself.
    var ownBuilds: [PlannedProfile] { profiles.filter { $0.remoteBuild && $0.buildHost == nil } }

    /// What the node has to build itself.
    var remoteDerivations: [Derivation] {
        Installables.merged(ownBuilds.flatMap(\.derivations))
    }
}
