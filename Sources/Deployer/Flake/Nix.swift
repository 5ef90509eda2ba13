import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The Nix at hand: what it can, and how its programs are run.
struct Nix: Sendable {
    var version: NixVersion
    /// Whether the experimental features for flakes are on.
    var hasFlakes: Bool
    /// What Nix said where ``hasFlakes`` is false.
    var flakesRefusal = ""
    /// Every Nix program runs with exactly this environment.
    var environment: [String: String]
    /// Gets the words of every program that is run, for the debug log.
    var onCommand: @Sendable ([String]) -> Void = { _ in }

    /// Words that turn on what a command needs, whatever the settings say.
    static let forcedFeatures = ["--extra-experimental-features", "nix-command flakes"]

    init(version: NixVersion, hasFlakes: Bool, environment: [String: String] = currentEnvironment()) {
        self.version = version
        self.hasFlakes = hasFlakes
        self.environment = environment
    }

    /// Asks Nix for its version alone.
    ///
    /// - Throws: ``NixError/notInstalled(program:)``
    static func installedVersion(environment: [String: String] = currentEnvironment()) async throws -> NixVersion {
        NixVersion(parsing: try await answer(["nix", "--version"], environment).text) ?? .assumed
    }

    /// Asks Nix for its version and for flakes, both at once: some 20 ms.
    ///
    /// - Throws: ``NixError/notInstalled(program:)``
    /// - Note: flakes are detected as in deploy-rs's `test_flake_support`; but where the question fails with flakes forced
    ///   on as well, something else is wrong, such as a daemon that is down, and the next program tells it
    static func detect(environment: [String: String] = currentEnvironment()) async throws -> Nix {
        async let version = installedVersion(environment: environment)
        let question = ["eval", "--expr", "builtins.getFlake"]
        let plain = try await answer(["nix"] + question, environment)
        var nix = Nix(version: try await version, hasFlakes: true, environment: environment)
        if plain.exit.isSuccess { return nix }
        let forced = try await answer(["nix"] + forcedFeatures + question, environment)
        if nix.version >= .firstWithFlakes && !forced.exit.isSuccess { return nix }
        (nix.hasFlakes, nix.flakesRefusal) = (false, plain.errorText)
        return nix
    }

    /// Makes a local store that has never been used: Nix does so itself, but not where several of its programs begin at once.
    ///
    /// - Throws: ``NixError``
    static func makeStore(environment: [String: String] = currentEnvironment()) async throws {
        let state = environment["NIX_STATE_DIR"] ?? "/nix/var/nix"
        if access("\(state)/db/schema", F_OK) == 0 { return }
        // Where that is another's there is a daemon; what else is in the way is told by the first program that needs it.
        if access(state, W_OK) != 0 && errno != ENOENT { return }
        _ = try await answer(["nix-store", "--init"], environment)
    }

    private static func answer(_ words: [String], _ environment: [String: String]) async throws -> LocalResult {
        do {
            return try await LocalCommand(words, environment: environment).run(outputLimit: 1 << 16)
        } catch LocalCommandError.notFound(let program) {
            throw NixError.notInstalled(program: program)
        }
    }

    /// Runs a Nix program to its successful end.
    ///
    /// - Parameters:
    ///   - outputLimit: bytes of output kept
    ///   - onLine: each line that it writes to its standard error
    /// - Throws: ``NixError``, ``LocalCommandError``; `CancellationError` once it has been ended
    func run(
        _ words: [String],
        outputLimit: Int = 64 << 20,
        onLine: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> LocalResult {
        try await run(words, outputLimit, LineRelay { onLine($0.text) })
    }

    /// Runs a Nix program that reports what it does in records.
    ///
    /// - Parameters:
    ///   - words: without `--log-format`, unless the user wants one: then that counts
    ///   - onLine: each line that it would have written, and those that it keeps to itself
    ///   - onCounts: how far it is, whenever that has changed
    /// - Throws: as ``run(_:outputLimit:onLine:)``
    func follow(
        _ words: [String],
        outputLimit: Int = 1 << 20,
        onLine: @escaping @Sendable (NixLogLine) -> Void,
        onCounts: @escaping @Sendable (BuildCounts) -> Void
    ) async throws -> LocalResult {
        if words.contains("--log-format") {
            return try await run(words, outputLimit, LineRelay(onLine, onCounts: onCounts))
        }
        // Last, since an earlier `-L` turns the format to that of a progress bar.
        return try await run(
            words + ["--log-format", "internal-json"], outputLimit,
            LineRelay(log: NixLog(words: words), onLine, onCounts: onCounts))
    }

    private func run(_ words: [String], _ outputLimit: Int, _ relay: LineRelay) async throws -> LocalResult {
        onCommand(words)
        var command = LocalCommand(words, environment: environment)
        // Fetching a private input may ask for a passphrase on the terminal, which a background group must not read.
        if isatty(STDIN_FILENO) == 1 { command.grouping = .ours }
        let result: LocalResult
        do {
            result = try await command.run(outputLimit: outputLimit) { @Sendable in relay.add($0) }
        } catch LocalCommandError.notFound(let program) {
            throw NixError.notInstalled(program: program)
        }
        let lines = relay.finish(hasFailed: !result.exit.isSuccess)
        guard result.exit.isSuccess else {
            throw NixError.failed(NixFailure(words: words, exit: result.exit, lastLines: lines))
        }
        return result
    }
}
