import Shared

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A source's answer, with what was asked.
struct Evaluation: Sendable, Equatable {
    var request: EvaluationRequest
    var deployment: Deployment
    /// Attributes that have no effect.
    var warnings: [UnknownAttribute]
    /// The Nix that has evaluated it; nil where its version cannot be read.
    var nixVersion: NixVersion?
}

/// Evaluates `deploy` attributes with Nix, one process for each source.
struct Evaluator: Sendable {
    var nix: Nix
    /// What stood after `--` on the command line.
    var extraArguments: [String] = []
    /// Bytes that one answer may have.
    var outputLimit = 256 << 20
    /// Each line that Nix writes to its standard error, and those that it keeps to itself.
    var onLine: @Sendable (NixLogLine) -> Void = { _ in }
    /// How far Nix is with the nodes, and with what their evaluation needs built or fetched.
    var onCounts: @Sendable (BuildCounts) -> Void = { _ in }

    /// Each node that was asked for, alone and with its settings only: as soon as they are known, before any closure is.
    var onNode: (@Sendable (Deployment) -> Void)?

    /// Evaluates what is asked for, and nothing else of the source.
    ///
    /// - Parameter request: for a source as ``usableSource(_:)`` gives it
    /// - Throws: ``EvaluationError``, ``NixError/notInstalled(program:)``, `CancellationError`
    func evaluate(_ request: EvaluationRequest) async throws -> Evaluation {
        let marker = "deploy-swift \(try Nonce.random()) "
        var answer = try await answer(request, try words(request, attribute: "deploy", marker: marker), marker)
        if case .flake = request.source, answer["childrenType"]?.text != "set" {
            answer = try await unhidden(request, behind: answer) ?? answer
        }
        var decoder = DeploymentDecoder()
        let deployment = decoder.deployment(answer)
        guard decoder.problems.isEmpty else {
            throw EvaluationError.wrongAttributes(request.source, decoder.problems, unknown: decoder.warnings)
        }
        try findMissing(request, in: deployment)
        return Evaluation(
            request: request, deployment: deployment, warnings: decoder.warnings,
            nixVersion: answer["nixVersion"]?.text.flatMap(NixVersion.init(parsing:)))
    }

    /// The source to evaluate in place of the one named: where this Nix has no flakes, a flake's folder stands for its
    /// `default.nix`.
    ///
    /// - Throws: ``EvaluationError/noFlakes(_:)``, ``EvaluationError/noSuchFile(_:)``
    /// - Note: as deploy-rs falls back without flakes
    func usableSource(_ source: Source) throws -> Source {
        switch source {
        case .file(let path):
            guard FileManager.default.fileExists(atPath: path) else { throw EvaluationError.noSuchFile(path) }
            return source
        case .flake(let reference):
            if nix.hasFlakes { return source }
            let prefix = "path:"
            let path = reference.hasPrefix(prefix) ? String(reference.dropFirst(prefix.count)) : reference
            let folder = URL(fileURLWithPath: path)
            guard FileManager.default.fileExists(atPath: folder.appendingPathComponent("default.nix").path) else {
                throw EvaluationError.noFlakes(reference, reason: nix.flakesRefusal)
            }
            return .file(folder.path)
        }
    }

    /// The command line that evaluates a request.
    func words(_ request: EvaluationRequest, attribute: String, marker: String? = nil) throws -> [String] {
        switch request.source {
        case .flake(let reference):
            let expression = try EvaluationExpression.apply(request, marker: marker)
            return ["nix", "eval", "--json", "\(reference)#\(attribute)", "--apply", expression] + extraArguments
        case .file(let path):
            return ["nix-instantiate", "--eval", "--strict", "--json", "--read-write-mode"]
                + ["-E", EvaluationExpression.file(path, marker: marker)]
                + (try EvaluationExpression.fileArguments(request)) + extraArguments
        }
    }

    private func answer(
        _ request: EvaluationRequest, _ words: [String], _ marker: String? = nil
    ) async throws -> JSONValue {
        let result: LocalResult
        let watch = EvaluationWatch(marker: marker, onNode: onNode ?? { _ in }, onCounts: onCounts)
        do {
            result = try await nix.follow(words, outputLimit: outputLimit) { line in
                if !watch.take(line.text) { onLine(line) }
            } onCounts: {
                watch.take($0)
            }
        } catch NixError.failed(var failure) {
            if let marker { failure.lastLines.removeAll { $0.contains(marker) } }
            throw EvaluationError.nix(request.source, at: watch.place, failure)
        }
        if result.isTruncated { throw EvaluationError.tooLarge(request.source, limit: outputLimit) }
        do {
            return try JSONValue(parsing: result.output)
        } catch {
            throw EvaluationError.unreadable(request.source, reason: "\(error)")
        }
    }

    /// Asks for the flake's own output, past a package named deploy that Nix finds first.
    ///
    /// - Returns: nil where nothing else is found, so that the first answer's error is the right one
    /// - Throws: ``EvaluationError/hidden(_:)`` where a package was found and this Nix does not know the leading dot
    private func unhidden(_ request: EvaluationRequest, behind answer: JSONValue) async throws -> JSONValue? {
        var quiet = self
        quiet.onLine = { _ in }
        do {
            return try await quiet.answer(request, try words(request, attribute: ".deploy"))
        } catch EvaluationError.nix {
            let isPackage = answer["unknown"]?.elements.contains(.string("drvPath")) == true
            if isPackage { throw EvaluationError.hidden(request.source) }
            return nil
        }
    }

    private func findMissing(_ request: EvaluationRequest, in deployment: Deployment) throws {
        guard case .named(let nodes) = request.nodes else { return }
        for (name, profiles) in nodes.sorted(by: { $0.key < $1.key }) {
            guard let node = deployment.nodes[name] else {
                throw EvaluationError.unknownNode(name.text, known: deployment.nodeNames.map(\.text))
            }
            guard case .named(let names) = profiles else { continue }
            for profile in names.sorted() where node.profiles[profile] == nil {
                let known = node.profileNames.map(\.text)
                throw EvaluationError.unknownProfile(node: name.text, profile.text, known: known)
            }
        }
    }
}
