import Shared
import Synchronization

/// Checks sources, and builds what a plan needs in the local store.
struct Builder: Sendable {
    /// What happens to closures besides being built.
    struct Extras: Sendable {
        /// Folder for links `<node>/<profile>` that keep them from garbage collection; none if nil.
        var resultPath: String?
        /// File with the secret key that signs them; unsigned if nil.
        var signingKey: String?

        init() {}

        init(_ options: Options, environment: [String: String] = currentEnvironment()) {
            resultPath = options.keepResult ? options.resultPath ?? Options.defaultResultPath : nil
            signingKey = environment["LOCAL_KEY"].flatMap { $0.isEmpty ? nil : $0 }
        }
    }

    var nix: Nix
    /// What stood after `--` on the command line.
    var extraArguments: [String] = []
    /// Builds what can be built even where something else cannot.
    var keepsGoing = false
    /// Each line that Nix writes to its standard error, and those that it keeps to itself.
    var onLine: @Sendable (NixLogLine) -> Void = { _ in }
    /// How far Nix is with what it builds.
    var onCounts: @Sendable (BuildCounts) -> Void = { _ in }

    /// Runs a source's checks.
    ///
    /// - Throws: ``BuildError/checksFailed(_:_:)``, `CancellationError`
    func check(_ source: Source) async throws {
        try await run(checkWords(source)) { .checksFailed(source, $0) }
    }

    /// Builds all closures that are not left to their nodes, in one go, and sees that each is there and activatable.
    ///
    /// - Parameter sources: those that the plan was made of: files are built with `nix-build`
    /// - Throws: ``BuildError``, ``NixError``; `CancellationError`, with what was built left in the store
    func build(_ plan: Plan, from sources: [Source], _ extras: Extras = Extras()) async throws {
        let profiles = plan.profiles.filter { !$0.remoteBuild }
        if profiles.isEmpty { return }
        try await buildDerivations(plan.localDerivations, of: profiles, usesFlakes: sources.allSatisfy(\.isFlake))
        try await realise(profiles.filter { $0.derivations.isEmpty && !exists($0.path) })
        for profile in profiles { try inspect(profile) }
        if let folder = extras.resultPath { try await keep(profiles, in: folder) }
        if let key = extras.signingKey { try await run(signWords(profiles, key: key)) { .signingFailed(key: key, $0) } }
    }

    private func buildDerivations(
        _ derivations: [Derivation], of profiles: [PlannedProfile], usesFlakes: Bool
    ) async throws {
        if derivations.isEmpty { return }
        let errors = Mutex("")
        var listener = self
        listener.onLine = { [onLine] line in
            // Nix names the derivations that failed, and all that needed them, in lines of this form; but `build of`
            // names all that were asked for.
            if line.text.hasPrefix("error:") && !line.text.hasPrefix("error: build of ") {
                errors.withLock { $0 += line.text + "\n" }
            }
            onLine(line)
        }
        do {
            try await listener.run(buildWords(derivations, usesFlakes: usesFlakes)) { .buildFailed([], $0) }
        } catch BuildError.buildFailed(_, let failure) {
            throw BuildError.buildFailed(await labels(of: profiles, blamedBy: errors.withLock { $0 }), failure)
        }
    }

    /// The profiles that need a derivation which an error text names; all that are not there if that tells nothing.
    private func labels(of profiles: [PlannedProfile], blamedBy text: String) async -> [String] {
        let missing = profiles.filter { !exists($0.path) }
        let named = Set(text.matches(of: /\/[^\s']*?[0-9a-z]{32}-[^\s']+?\.drv/).map { String($0.output) })
        // Where Nix does not go on after a failure, it names what failed, and none of those that needed it.
        let words = ["nix-store", "--query", "--referrers-closure"] + named.sorted()
        let needing = named.isEmpty ? nil : try? await nix.run(words).text.split(separator: "\n").map(String.init)
        let failed = named.union(needing ?? [])
        let blamed = missing.filter { $0.derivations.contains { failed.contains($0.path) } }
        return (blamed.isEmpty ? missing : blamed).map(\.label)
    }

    /// Those of the paths that are not valid in the local store.
    func missing(of paths: [String]) async throws -> Set<String> {
        if paths.isEmpty { return [] }
        let result = try await nix.run(["nix-store", "--check-validity", "--print-invalid"] + paths)
        return Set(result.text.split(separator: "\n").map(String.init))
    }

    private func realise(_ profiles: [PlannedProfile]) async throws {
        if profiles.isEmpty { return }
        let words = ["nix-store", "--realise"] + Set(profiles.map(\.path)).sorted()
        try await run(words) { .notRealised(profiles.map(\.label), $0) }
    }

    private func keep(_ profiles: [PlannedProfile], in folder: String) async throws {
        for profile in profiles {
            let names = [profile.node.text, profile.name.text]
            guard names.allSatisfy({ Rules.linkName($0) == nil }) else { throw BuildError.badLinkName(profile.label) }
            try await run(keepWords(profile, in: folder)) { .linkFailed(profile.label, $0) }
        }
    }

    private func run(_ words: [String], _ failed: (NixFailure) -> BuildError) async throws {
        do {
            _ = try await nix.follow(words, onLine: onLine, onCounts: onCounts)
        } catch NixError.failed(let failure) {
            throw failed(failure)
        }
    }
}

extension Source {
    fileprivate var isFlake: Bool {
        if case .flake = self { true } else { false }
    }
}
