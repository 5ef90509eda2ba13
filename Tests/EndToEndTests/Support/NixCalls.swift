import Foundation
import Shared

/// Programs of Nix's names that note on the deployer's side what they are started for, and then become Nix's own.
struct NixCalls: Sendable {
    private let lab: Lab
    private let folder: String
    private var log: String { "\(folder)/log" }

    init(in lab: Lab) throws {
        self.lab = lab
        folder = "\(lab.folder)/calls"
        try FileManager.default.createDirectory(atPath: "\(folder)/bin", withIntermediateDirectories: true)
        // What Nix starts itself is its own business.
        let text = """
            #!/bin/sh
            what=
            for word; do
                case $word in
                    eval|build|copy|check|--add|--check-validity|--realise|--init|--version) what=$word; break ;;
                esac
            done
            echo "${0##*/} $what" >>\(folder)/log
            PATH=\(shellQuoted(Self.path))
            exec "${0##*/}" "$@"
            """
        for name in ["nix", "nix-store", "nix-build", "nix-instantiate", "nix-env", "nix-daemon"] {
            let program = "\(folder)/bin/\(name)"
            try text.write(toFile: program, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
        }
    }

    private static let path = currentEnvironment()["PATH"] ?? "/usr/bin:/bin"

    /// As ``Lab/deploy(_:input:environment:timeLimit:)``, with its calls of Nix noted.
    func deploy(_ words: [String]) async throws -> LocalResult {
        let program = ["env", "PATH=\(folder)/bin:\(Self.path)", "\(Lab.prefix ?? "")/bin/deploy", "--skip-checks"]
        return try await lab.run(program + Lab.withoutGuesses(words))
    }

    /// Those since it was last asked, in their order, such as `nix copy`.
    func taken() throws -> [String] {
        let text = try String(contentsOfFile: log, encoding: .utf8)
        try FileManager.default.removeItem(atPath: log)
        return text.split(separator: "\n").map(String.init)
    }
}
