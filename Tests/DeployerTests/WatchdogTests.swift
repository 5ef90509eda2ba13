import Shared
import Testing

@testable import Deployer

private let holder = LockHolder(deployer: "bob@desk", since: 5, closure: "/nix/store/other")

@Suite(.timeLimit(.minutes(10)))
struct WatchdogTests {
    @Test func itBarksOnceWhatTheNodeIsAtHasHadItsTime() async {
        let watchdog = Watchdog(activationTimeout: .seconds(1000), grace: .milliseconds(50))
        watchdog.hear(.started(previous: nil))
        watchdog.hear(.profileSet(generation: 1, isNew: true))
        watchdog.hear(.output(stream: .stdout, line: "x"))
        watchdog.hear(.activationEnded(.code(0), timedOut: false))
        // The suite's time limit is long over where it still gives the activation its time.
        await watchdog.bark()
    }

    @Test(arguments: [
        AgentEvent.started(previous: nil), .waitingForLock(holder, seconds: 600), .awaitingConfirmation(seconds: 600),
        .checkingHealth(seconds: 600), .rollingBack(reason: ""),
        .rebooting(reason: "", seconds: 600),
    ])
    func itLetsTheNodeHaveItsTime(event: AgentEvent) async throws {
        let watchdog = Watchdog(activationTimeout: nil, grace: .zero)
        watchdog.hear(.started(previous: nil))
        // Overdue, until something else begins.
        watchdog.hear(.activationEnded(.code(0), timedOut: false))
        watchdog.hear(event)
        #expect(try await before(.now + .milliseconds(200)) { await watchdog.bark() } == nil)
    }

    @Test func aNodeThatDoesNotBeginHasItsLimitToo() async {
        let watchdog = Watchdog(activationTimeout: nil, grace: .milliseconds(50), firstWord: .milliseconds(50))
        await watchdog.bark()
        #expect(!watchdog.hasBegun)
    }

    /// What it tells of someone else's activation, which it finishes first, sets no limit for ours.
    @Test func itMayFirstFinishWhatWasInterrupted() async throws {
        let watchdog = Watchdog(activationTimeout: nil, grace: .zero, firstWord: .zero)
        watchdog.hear(.recovering(seconds: 600))
        watchdog.hear(.activationEnded(.code(0), timedOut: false))
        #expect(try await before(.now + .milliseconds(200)) { await watchdog.bark() } == nil)
        #expect(!watchdog.hasBegun)
    }
}
