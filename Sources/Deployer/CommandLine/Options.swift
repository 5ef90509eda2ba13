/// The command line of `deploy`, read; deploy-rs's grammar plus a few options of our own.
struct Options: Sendable, Equatable {
    enum Command: Sendable, Equatable {
        case deploy
        /// `deploy status [target]`: what the nodes say about their profiles. Only as the very first word; a flake in
        /// a folder of that name is `./status`.
        case status
        case help
        case version
    }

    /// What `--timings` asks for.
    enum Timing: Sendable, Equatable {
        case none
        case table
        /// Also a page, in this file.
        case page(String)
    }

    var command = Command.deploy
    /// As written; empty where none was given, which means ``defaultTarget``, or all of the file.
    var targets: [String] = []
    /// A file, or a folder with `default.nix`, that is read instead of a flake.
    var file: String?
    var checksigs = false
    var isInteractive = false
    var debugLogs = false
    var logDir: String?
    var keepResult = false
    /// Folder for the links of `keepResult`; `./.deploy-gc` if nil.
    var resultPath: String?
    var skipChecks = false
    var dryActivate = false
    var boot = false
    /// Activate unchanged profiles too.
    var force = false
    var rollbackSucceeded = true
    /// Seconds to wait for another deploy that holds a profile, 0 to 65535.
    var waitLock = 0
    /// How many of a profile's last deploys `status` tells of.
    var history = 0
    var overrides = Overrides()
    /// The agent to send; the one beside this program if nil.
    var agent: String?
    var transport = TransportChoice.automatic
    var compression = Compression.auto
    var limits = Limits()
    /// Each node goes on to its activation by itself.
    var noBarrier = false
    /// Whether, and where, to tell where the time went.
    var timings = Timing.none
    /// Events on standard output, one JSON object a line.
    var json = false
    /// What stood after `--`: for `nix flake check`, `nix eval` and `nix build`.
    var nixArguments: [String] = []

    /// Whether what is unchanged is left as it is; a dry run and the next boot are about something else.
    var skipsUnchanged: Bool { !force && !dryActivate && !boot }

    static let defaultTarget = "."
    static let defaultResultPath = "./.deploy-gc"

    /// Reads the words after the program's name.
    init(_ words: [String]) throws(UsageError) {
        var scanner = OptionScanner(words)
        try scanner.scan()
        command = scanner.command
        targets = scanner.targets
        nixArguments = scanner.nixArguments
        for occurrence in scanner.occurrences { try apply(occurrence) }
        if command == .deploy || command == .status { try refuseClashes(scanner) }
    }

    private func refuseClashes(_ scanner: OptionScanner) throws(UsageError) {
        let given = Set(scanner.occurrences.map(\.option))
        if given.contains(.dryActivate) && given.contains(.boot) { throw .clash("--dry-activate", "--boot") }
        if given.contains(.local), let other = [OptionName.hostname, .sshUser, .sshOpts].first(where: given.contains) {
            throw .clash("--local", other.long)
        }
        if scanner.hasPlainTarget && given.contains(.targets) { throw .clash("target", "--targets") }
        guard command == .status else {
            if given.contains(.history) { throw .clash("--history", "deploy") }
            return
        }
        let pointless: [OptionName] = [
            .interactive, .keepResult, .resultPath, .dryActivate, .boot, .force, .noBarrier, .rollbackSucceeded,
            .remoteBuild, .checksigs, .compress, .maxCopies, .maxActivations, .waitLock,
        ]
        if let option = pointless.first(where: given.contains) { throw .clash("status", option.long) }
    }
}
