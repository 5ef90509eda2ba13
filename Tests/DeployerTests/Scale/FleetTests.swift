import Shared
import Synchronization
import TestSupport
import Testing

@testable import Deployer

/// How a run deals with many nodes at once; `benchmarks/scale` does the same with a thousand of them and real latencies.
@Suite(.serialized, .timeLimit(.minutes(10)), .enabled(if: ScratchNix.isInstalled, "nix is not installed"))
struct FleetTests {
    private static let unreachable = SSHError.unreachable(host: "node0000", reasons: ["no route"])

    @Test func noNodeIsActivatedBeforeTheLastHasItsClosures() async throws {
        let fleet = SimulatedFleet()
        let scene = try await FleetScene(nodes: 40, fleet: fleet)
        #expect(try await scene.run.deploy() == .done)
        let events = fleet.trace.events
        let lastCopy = try #require(events.lastIndex { $0.moment == .copy && $0.isEnd })
        let firstActivation = try #require(events.firstIndex { $0.moment == .activation })
        #expect(lastCopy < firstActivation)
        // Each node is logged in to once, and once more for each confirmation; one transfer for both profiles.
        let counts = Moment.allCases.map { fleet.trace.count($0) }
        #expect(counts == [40 + 80, 40, 40, 80, 80])
        #expect(fleet.trace.open == 0)
    }

    @Test func everyNodeIsToldOfInAsManyLines() async throws {
        let scene = try await FleetScene(nodes: 40, fleet: SimulatedFleet())
        #expect(try await scene.run.deploy() == .done)
        let own = try scene.names.map { try scene.log($0).count }
        #expect(Set(own) == [own[0]])
        // The rest: what is evaluated and built, and a summary with a head and a row for each profile.
        let all = try scene.log().filter { !$0.contains(" deploy: debug: ") }
        #expect(all.count { $0.contains("  deployed") } == 80)
        #expect(all.count - own.reduce(0, +) - 81 < 10)
    }

    /// Nobody gets on before the limit is reached, so a run that stayed below it would not end.
    @Test func limitsAreReachedAndNeverPassed() async throws {
        let (looks, copies, activations) = (Meeting(64), Meeting(8), Meeting(4))
        let fleet = SimulatedFleet { moment, _ in
            switch moment {
            case .facts: try await looks.join()
            case .copy: try await copies.join()
            case .activation: try await activations.join()
            case .login, .confirmation: break
            }
        }
        let scene = try await FleetScene(nodes: 128, ["--max-copies", "8", "--max-activations", "4"], fleet: fleet)
        #expect(try await scene.run.deploy() == .done)
        #expect([.facts, .copy, .activation].map(fleet.trace.most) == [64, 8, 4])
    }

    /// The agent is sent while nodes are looked at, of which there may be more.
    @Test func theAgentIsSentToNoMoreNodesAtATimeThanClosures() async throws {
        let copies = Meeting(8)
        let fleet = SimulatedFleet(hasAgent: false) { moment, _ in if moment == .copy { try await copies.join() } }
        let scene = try await FleetScene(nodes: 40, ["--parallel", "8"], fleet: fleet)
        #expect(try await scene.run.deploy() == .done)
        #expect(fleet.trace.most(.copy) == 8)
        #expect(fleet.trace.count(.copy) == 80)
    }

    @Test func aSlowNodeHoldsUpNobodyWithoutTheBarrier() async throws {
        let others = Countdown(2 * 39)
        let fleet = SimulatedFleet { moment, host in
            if moment == .copy && host == "node0000" { try await others.gate.wait() }
            if moment == .confirmation && host != "node0000" { others.happened() }
        }
        let scene = try await FleetScene(nodes: 40, ["--no-barrier"], fleet: fleet)
        #expect(try await scene.run.deploy() == .done)
        #expect(fleet.trace.count(.confirmation) == 80)
    }

    /// It is found to be dead only once all others are deployed.
    @Test func aDeadNodeHoldsUpNobodyWithoutTheBarrier() async throws {
        let others = Countdown(2 * 39)
        let fleet = SimulatedFleet { moment, host in
            if host == "node0000" {
                try await others.gate.wait()
                throw Self.unreachable
            }
            if moment == .confirmation { others.happened() }
        }
        let scene = try await FleetScene(nodes: 40, ["--no-barrier"], fleet: fleet)
        #expect(try await scene.run.deploy() == .unreachable)
        let log = try scene.log()
        #expect(log.count { $0.contains("  deployed") } == 78)
        #expect(log.count { $0.contains("  not ready") } == 2)
        #expect(fleet.trace.open == 0)
    }

    @Test func aDeadNodeLeavesTheWholeFleetAsItWas() async throws {
        let fleet = SimulatedFleet { _, host in if host == "node0000" { throw Self.unreachable } }
        let scene = try await FleetScene(nodes: 40, fleet: fleet)
        await #expect(throws: PreparationError.self) { try await scene.run.deploy() }
        #expect(fleet.trace.count(.activation) == 0)
        #expect(fleet.trace.open == 0)
    }

    @Test func aFailedCopyIsToldWhileOthersStillCopy() async throws {
        let scenes = Mutex<FleetScene?>(nil)
        let fleet = SimulatedFleet { moment, host in
            guard moment == .copy else { return }
            if host == "node0001" { throw SimulatedFailure() }
            let log = { try scenes.withLock { $0 }?.log() ?? [] }
            try await eventually("the failure is told") {
                try log().contains { $0.contains("node0001: error: copy failed") }
            }
        }
        let scene = try await FleetScene(nodes: 3, fleet: fleet)
        scenes.withLock { $0 = scene }
        let error = await #expect(throws: PreparationError.self) { try await scene.run.deploy() }
        #expect(error?.failures.count == 1 && error?.untold.isEmpty == true)
        let log = try scene.log()
        #expect(log.count { $0.contains("copy failed") } == 1)
        #expect(log.contains { $0.contains("nothing will be activated; the other nodes still get their closures") })
        #expect(log.count { $0.contains("  as before   not ready") } == 2)
        #expect(log.count { $0.contains("  as before   not started") } == 4)
        #expect(fleet.trace.count(.activation) == 0)
    }

    @Test func whatIsAboutNoNodeIsToldOnce() async throws {
        let scene = try await FleetScene(nodes: 40, fleet: SimulatedFleet(), agent: "a text")
        let error = await #expect(throws: PreparationError.self) { try await scene.run.deploy() }
        #expect(error?.failures.count == 1)
        #expect(error?.failures.first is AgentBinaryError)
    }

    @Test func afterAFailureNothingNewStarts() async throws {
        let all = Meeting(10)
        let isFirst = Mutex(true)
        let brake = Mutex<Gate?>(nil)
        let fleet = SimulatedFleet { moment, _ in
            guard moment == .activation else { return }
            try await all.join()
            let fails = isFirst.withLock { isFirst in
                defer { isFirst = false }
                return isFirst
            }
            if fails { throw SimulatedFailure() }
            try await brake.withLock { $0 }?.wait()
        }
        let scene = try await FleetScene(nodes: 40, ["--rollback-succeeded", "false"], fleet: fleet)
        brake.withLock { $0 = scene.interruption.brake.gate }
        #expect(try await scene.run.deploy() == .rolledBack)
        #expect(fleet.trace.count(.activation) == 10)
        #expect(try scene.log().count { $0.contains("  not started") } == 70)
    }
}
