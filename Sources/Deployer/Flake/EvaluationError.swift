/// What can go wrong between a source and its ``Deployment``.
enum EvaluationError: Explained, Equatable {
    /// Nix could not evaluate it; the failure holds Nix's own message. With the attribute that it was at, where that is
    /// known.
    case nix(Source, at: [String]?, NixFailure)
    /// With the attributes that are unknown beside: one of them may be the one that was meant.
    case wrongAttributes(Source, [AttributeProblem], unknown: [UnknownAttribute])
    /// What `source#deploy` finds is not the flake's `deploy` output.
    case hidden(Source)
    case unknownNode(String, known: [String])
    case unknownProfile(node: String, String, known: [String])
    case noSuchFile(String)
    /// This Nix has no flakes, and the reference names no folder with a `default.nix`.
    case noFlakes(String, reason: String)
    case unreadable(Source, reason: String)
    case tooLarge(Source, limit: Int)

    var description: String {
        switch self {
        case .nix(let source, let place, let failure):
            "\(source) could not be evaluated\(place.map { ", at \(NixText.attributePath($0))" } ?? ""): \(failure)"
        case .wrongAttributes(let source, let problems, let unknown):
            Self.lines(source, problems.map(\.description) + unknown.map(\.description))
        case .hidden(let source): "\(source)#deploy is not the flake's output \"deploy\" but a package of that name"
        case .unknownNode(let node, _): "there is no node \"\(node)\""
        case .unknownProfile(let node, let profile, _): "node \"\(node)\" has no profile \"\(profile)\""
        case .noSuchFile(let path): "there is no file \(path)"
        case .noFlakes(let reference, let reason):
            "\(reference) is a flake, and this Nix has no flakes enabled" + (reason.isEmpty ? "" : ": \(reason)")
        case .unreadable(let source, let reason): "Nix's answer for \(source) cannot be read: \(reason)"
        case .tooLarge(let source, let limit): "the evaluation of \(source) gave more than \(limit >> 20) MiB"
        }
    }

    var hint: String? {
        switch self {
        case .hidden: "rename the package, or use a newer Nix, such as 2.26"
        case .unknownNode(let name, let known): Self.known(name, "there is", known)
        case .unknownProfile(_, let name, let known): Self.known(name, "it has", known)
        case .noFlakes:
            "put \"experimental-features = nix-command flakes\" into nix.conf, or name a folder with default.nix"
        case .nix(_, _, let failure) where failure.lastLines.contains { $0.contains("NAR hash mismatch in input") }:
            "an input changed since flake.lock was written, as after an upgrade of deploy-swift: nix flake update deploy-rs "
                + "(before Nix 2.19: nix flake lock --update-input deploy-rs)"
        case .nix, .wrongAttributes, .noSuchFile, .unreadable, .tooLarge: nil
        }
    }

    private static func lines(_ source: Source, _ lines: [String]) -> String {
        lines.count == 1
            ? "\(source): \(lines[0])"
            : "\(source) has wrong attributes:\n" + lines.map { "  \($0)" }.joined(separator: "\n")
    }

    private static func known(_ name: String, _ lead: String, _ known: [String]) -> String {
        if known.isEmpty { return "\(lead) none" }
        let near = known.count > 8 ? nearest(to: name, among: known) : nil
        return "\(lead) \(listed(known))" + (near.map { "; did you mean \"\($0)\"?" } ?? "")
    }
}
