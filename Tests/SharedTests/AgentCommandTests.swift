import Testing

@testable import Shared

private let nonce = "0123456789abcdef0123456789abcdef"

private func parsed(_ line: String) throws -> AgentInvocation {
    try AgentCommand.parse(line.split(separator: " ").map(String.init))
}

/// The words that deploy-rs's own deployer sends (its src/deploy.rs, `build_activate_command` and the tests beside it).
@Test func readsWhatDeployRsSends() throws {
    let line =
        "--debug-logs --log-dir /tmp/something.txt activate /nix/store/blah/etc --profile-path /blah/profiles/test "
        + "--temp-path /tmp --confirm-timeout 30 --magic-rollback --auto-rollback"
    var request = ActivateRequest(
        closure: "/nix/store/blah/etc", profile: .path("/blah/profiles/test"), tempPath: "/tmp", confirmTimeout: 30)
    request.magicRollback = true
    request.autoRollback = true
    let options = AgentOptions(debugLogs: true, logDirectory: "/tmp/something.txt")
    #expect(try parsed(line) == .run(.activate(request), options))

    let wait =
        "--debug-logs --log-dir /tmp/something.txt wait /nix/store/blah/etc --temp-path /tmp --activation-timeout 600"
    let waitRequest = WaitRequest(closure: "/nix/store/blah/etc", tempPath: "/tmp", activationTimeout: 600)
    #expect(try parsed(wait) == .run(.wait(waitRequest), options))

    let revoke =
        "--debug-logs --log-dir /tmp/something.txt revoke --profile-path /nix/var/nix/per-user/user/profile"
    let revokeRequest = RevokeRequest(profile: .path("/nix/var/nix/per-user/user/profile"))
    #expect(try parsed(revoke) == .run(.revoke(revokeRequest), options))
}

@Test func writesWhatDeployRsSends() {
    var request = ActivateRequest(
        closure: "/nix/store/blah/etc", profile: .named(user: "app", name: "hello"), tempPath: "/tmp",
        confirmTimeout: 30)
    request.magicRollback = true
    request.dryActivate = true
    request.boot = true
    #expect(
        AgentCommand.activate(request).words().joined(separator: " ")
            == "activate /nix/store/blah/etc --profile-user app --profile-name hello --temp-path /tmp "
            + "--confirm-timeout 30 --magic-rollback --dry-activate --boot")
}

private var everyCommand: [AgentCommand] {
    let profile = ProfileLocation.named(user: "app", name: "hello")
    var plain = ActivateRequest(closure: "/nix/store/a", profile: profile, tempPath: "/var/t", confirmTimeout: 0)
    plain.boot = true
    var rich = ActivateRequest(closure: "/nix/store/a", profile: .path("/p q"), tempPath: "/t", confirmTimeout: 65535)
    rich.autoRollback = true
    rich.session = .init(nonce: nonce, activationTimeout: 240, deployer: "alice@laptop")
    rich.session?.onPartialFailure = .warn
    rich.session?.waitLock = 30
    rich.session?.criticalUnits = ["ssh.service", "nginx"]
    rich.session?.rebootIfStuck = true
    rich.session?.healthCheck = HealthCheck(["--help", "a b\nc=d; $x", ""], timeout: 7)
    var observing = ConfirmRequest(profile: profile, nonce: nonce)
    observing.observes = true
    var revoking = RevokeRequest(profile: profile, nonce: nonce)
    revoking.reason = "-it failed\n"
    var waiting = observing
    waiting.awaitsStart = true
    return [
        .activate(plain), .activate(rich),
        .wait(WaitRequest(closure: "/nix/store/a", tempPath: "/tmp")),
        .wait(WaitRequest(closure: "/nix/store/a", tempPath: "/tmp", activationTimeout: 9)),
        .revoke(revoking),
        .revoke(RevokeRequest(profile: profile)), .revoke(RevokeRequest(profile: profile, nonce: nonce)),
        .confirm(ConfirmRequest(profile: profile, nonce: nonce)), .confirm(observing), .confirm(waiting),
        .status([profile, .path("/p"), .named(user: "root", name: "system")]), .recover([.path("/p"), .path("/q")]),
        .recover([]), .recover([.path("/p")], background: true),
        .hold(["/nix/store/a", "/nix/store/b"]), .status(StatusRequest([profile], history: 5)),
    ]
}

@Test(arguments: everyCommand)
func whatIsWrittenIsReadBack(command: AgentCommand) throws {
    let options = AgentOptions(debugLogs: true, logDirectory: "/var/log/x")
    #expect(try AgentCommand.parse(command.words(options)) == .run(command, options))
    #expect(try AgentCommand.parse(command.words()) == .run(command, AgentOptions()))
}

@Test func optionsComeInAnyOrderAndForm() throws {
    let line =
        "-d activate --boot --confirm-timeout=30 --profile-name=hello --temp-path /tmp --profile-user=app /nix/store/a"
    var request = ActivateRequest(
        closure: "/nix/store/a", profile: .named(user: "app", name: "hello"), tempPath: "/tmp", confirmTimeout: 30)
    request.boot = true
    #expect(try parsed(line) == .run(.activate(request), AgentOptions(debugLogs: true)))
    #expect(
        try parsed("wait --temp-path=/tmp -- -odd")
            == .run(.wait(WaitRequest(closure: "-odd", tempPath: "/tmp")), AgentOptions()))
    #expect(try parsed("--help") == .help)
    #expect(try parsed("activate --help") == .help)
    #expect(try parsed("-V") == .version)
}

@Test(arguments: [
    ("", AgentUsageError.missingCommand),
    ("launch", .unknownCommand("launch")),
    ("--fast activate", .unknownOption("--fast")),
    ("activate /c --fast", .unknownOption("--fast")),
    ("wait /c --boot", .unknownOption("--boot")),
    ("wait /c /d", .unexpectedArgument("/d")),
    ("wait /c", .missing("option --temp-path")),
    ("wait --temp-path /t", .missing("the closure")),
    ("wait /c --temp-path", .missingValue(option: "--temp-path")),
    ("wait /c --temp-path --debug-logs", .missingValue(option: "--temp-path")),
    ("wait /c --temp-path /t --temp-path /u", .repeated(option: "--temp-path")),
    ("activate /c --boot=yes --temp-path /t", .unexpectedValue(option: "--boot")),
    (
        "activate /c --profile-path /p --temp-path /t --confirm-timeout 65536",
        .invalidValue(option: "--confirm-timeout", value: "65536", expected: "a number from 0 to 65535")
    ),
    (
        "activate /c --profile-path /p --profile-user u --profile-name n --temp-path /t --confirm-timeout 6",
        .conflict("--profile-path", "--profile-user")
    ),
    ("revoke --profile-path /p --profile-path /q", .repeated(option: "--profile-path")),
    ("revoke --profile-user u", .missing("option --profile-name, which --profile-user goes with,")),
    ("status", .missing("option --profile-path, or --profile-user and --profile-name,")),
    ("confirm --profile-path /p", .missing("option --nonce")),
    (
        "activate /c --profile-path /p --temp-path /t --confirm-timeout 6 --wait-lock 5",
        .missing("option --nonce, which --wait-lock goes with,")
    ),
    (
        "activate /c --profile-path /p --temp-path /t --confirm-timeout 6 --nonce \(nonce) --on-partial-failure no",
        .invalidValue(option: "--on-partial-failure", value: "no", expected: "rollback or warn")
    ),
    (
        "activate /c --profile-path /p --temp-path /t --confirm-timeout 6 --health-check a",
        .missing("option --nonce, which --health-check goes with,")
    ),
    (
        "activate /c --profile-path /p --temp-path /t --confirm-timeout 6 --nonce \(nonce) --health-timeout 6",
        .missing("option --health-check, which --health-timeout goes with,")
    ),
    (
        "activate /c --profile-path /p --temp-path /t --confirm-timeout 6 --nonce \(nonce) --health-check a --health-timeout 0",
        .invalidValue(option: "--health-timeout", value: "0", expected: "a number from 1 to 65535")
    ),
    ("revoke --profile-path /p --reason a", .missing("option --nonce, which --reason goes with,")),
    (
        "confirm --profile-path /p --nonce \(nonce) --await-start",
        .missing("option --observe, which --await-start goes with,")
    ),
    (
        "confirm --profile-path /p --nonce xyz",
        .invalidValue(option: "--nonce", value: "xyz", expected: "32 hexadecimal digits")
    ),
])
func namesWhatIsWrong(line: String, error: AgentUsageError) {
    #expect(throws: error) { try parsed(line) }
}
