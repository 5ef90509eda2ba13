import Foundation
import Shared

/// A flake in a scratch folder whose closures run the shell texts that a test gives.
struct Fixture: Sendable {
    /// One profile: Nix text of its attributes beside `path`, and what its activation runs.
    struct Profile: Sendable {
        var name = "system"
        var user = "root"
        var activation = "echo activated"
        /// Nix text such as `magicRollback = false;`.
        var extra = ""
        /// Nix text that takes the place of the wrapped closure.
        var path: String?
    }

    let folder: String

    /// For `deploy`'s target.
    var flake: String { "path:\(folder)" }

    init(in lab: Lab) throws {
        folder = "\(lab.folder)/flake-\(try Nonce.random().prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    /// Writes the flake: one node with these profiles, activated in this order.
    ///
    /// - Parameters:
    ///   - version: goes into the closures, so that each gives different store paths
    ///   - node: Nix text of further attributes of the node
    @discardableResult
    func write(
        _ profiles: [Profile], version: String = "1", node: String = "", nodes: [String] = ["web1"], top: String = ""
    ) throws -> Fixture {
        let order = profiles.map { nixString($0.name) }.joined(separator: " ")
        let texts = profiles.map { text($0, version) }.joined(separator: "\n")
        let nodeTexts = nodes.map { name in
            """
            nodes.\(nixString(name)) = {
              hostname = \(nixString(name)); sshUser = "root";
              profilesOrder = [ \(order) ];
              profiles = { \(texts) };
            } // { \(node) };
            """
        }
        return try write(deploy: "{ \(top) \(nodeTexts.joined(separator: "\n")) }")
    }

    /// Writes the flake with this `deploy` attribute; `activate` and `base NAME` can be used in it.
    @discardableResult
    func write(deploy: String, outputs: String = "") throws -> Fixture {
        let text = """
            {
              inputs.deploy-rs.url = "path:\(Lab.prefix ?? "")/share/deploy-swift";
              outputs = { self, deploy-rs }: let
                system = "x86_64-linux";
                inherit (deploy-rs.lib.${system}) activate;
                base = name: derivation {
                  inherit system name;
                  builder = "/bin/sh";
                  args = [ "-c" "/bin/mkdir $out && echo ${name} > $out/version" ];
                };
              in {
                deploy = \(deploy);
                \(outputs)
              };
            }
            """
        try text.write(toFile: folder + "/flake.nix", atomically: true, encoding: .utf8)
        return self
    }

    private func text(_ profile: Profile, _ version: String) -> String {
        let base = "(base \(nixString("\(profile.name)-\(version)")))"
        let path = profile.path ?? "activate.custom \(base) \(nixString(profile.activation))"
        return "\(nixString(profile.name)) = { user = \(nixString(profile.user)); path = \(path); \(profile.extra) };"
    }
}

/// A text as a Nix string literal.
func nixString(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("${", with: "\\${")
    return "\"\(escaped)\""
}
