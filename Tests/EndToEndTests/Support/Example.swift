import Foundation
import Shared
import Testing

/// A copy of an example on the deployer's side.
struct Example {
    let lab: Lab
    let folder: String
    /// Further words for Nix, such as those that put a stand-in in the place of an input.
    var nixWords: [String] = []

    init(_ name: String, in lab: Lab) throws {
        self.lab = lab
        folder = "\(lab.folder)/example-\(name)"
        try FileManager.default.copyItem(atPath: "\(Lab.root)/examples/\(name)", toPath: folder)
    }

    /// Deploys it, with its checks.
    func deploy(_ words: [String] = []) async throws -> LocalResult {
        let program = "\(Lab.prefix ?? "")/bin/deploy"
        let library = ["--override-input", "deploy-rs", "path:\(Lab.prefix ?? "")/share/deploy-swift"]
        let nix = ["--"] + (nixWords.contains("deploy-rs") ? [] : library) + nixWords
        return try await lab.run([program, "path:\(folder)"] + words + nix)
    }

    func deployed(_ words: [String] = []) async throws {
        let result = try await deploy(words)
        try #require(result.exit == .code(ExitCode.done.rawValue), "\(result.errorText)")
        #expect(result.errorText.contains("running the checks of"))
    }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
    }
}

extension Example {
    /// Puts the stand-in of this name in the place of an input.
    mutating func standIn(for input: String, adding files: [String] = []) throws {
        let copy = "\(lab.folder)/stand-in-\(input)"
        try FileManager.default.copyItem(atPath: "\(Lab.root)/Tests/StandIns/\(input)", toPath: copy)
        for file in files {
            try FileManager.default.copyItem(atPath: "\(Lab.root)/Tests/StandIns/\(file)", toPath: "\(copy)/\(file)")
        }
        nixWords += ["--override-input", input, "path:\(copy)"]
    }
}
