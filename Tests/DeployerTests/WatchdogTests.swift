import Shared
import Testing

@testable import Deployer

@Suite(.timeLimit(.minutes(1)))
struct WatchdogTests {
    @Test func itBarksOnceWhatTheNodeIsAtHasHadItsTime() async {
        let watchdog = Watchdog(activationTimeout: .seconds(1000), grace: .milliseconds(50))
        watchdog.hear(.started(previous: nil))
        watchdog.hear(.profileSet(generation: 1, isNew: true))
        watchdog.hear(.output(stream: .stdout, line: "x"))
        watchdog.hear(.activationEnded(.code(0), timedOut: false))
        let begun = ContinuousClock.now
        await watchdog.bark()
        #expect(ContinuousClock.now - begun < .seconds(10))
    }

    @Test(arguments: [AgentEvent.started(previous: nil), .awaitingConfirmation(seconds: 600), .rollingBack(reason: "")])
    func itLetsTheNodeHaveItsTime(event: AgentEvent) async throws {
        let watchdog = Watchdog(activationTimeout: nil, grace: .zero)
        // Overdue, until something else begins.
        watchdog.hear(.activationEnded(.code(0), timedOut: false))
        watchdog.hear(event)
        #expect(try await before(.now + .milliseconds(200)) { await watchdog.bark() } == nil)
    }
}
