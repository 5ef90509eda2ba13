import Shared
import Synchronization
import Testing

@testable import Activator

/// An agent that was started, with its events as they come.
final class RunningAgent: Sendable {
    struct End: Sendable {
        let exit: Exit
        let events: [AgentEvent]
        let output: String
        let errorOutput: String

        var verdict: VerdictReport? {
            for case .verdict(let report) in events { return report }
            return nil
        }

        var lines: [String] {
            events.compactMap { if case .output(_, let line) = $0 { line } else { nil } }
        }

        var warnings: [String] {
            events.compactMap { if case .warning(let text) = $0 { text } else { nil } }
        }
    }

    enum Missing: Error { case event(after: [AgentEvent], errorOutput: String) }

    private struct State {
        var splitter = LineSplitter()
        var output = ""
        var errorOutput = ""
        var events: [AgentEvent] = []
        var heartbeats = 0
    }

    let process: LocalProcess
    private let state: Box
    private let news: AsyncStream<Void>

    private final class Box: Sendable {
        let state = Mutex(State())
    }

    init(_ command: LocalCommand) throws {
        let box = Box()
        let (news, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        process = try LocalProcess.start(command) { @Sendable stream, bytes in
            box.state.withLock { state in
                guard stream == .output else {
                    state.errorOutput += String(decoding: bytes, as: UTF8.self)
                    return
                }
                state.output += String(decoding: bytes, as: UTF8.self)
                for line in state.splitter.add(bytes) {
                    guard let event = try? JSONLine.decode(AgentEvent.self, from: line) else { continue }
                    // When they come is chance.
                    if event == .alive { state.heartbeats += 1 } else { state.events.append(event) }
                }
            }
            continuation.yield()
        }
        state = box
        self.news = news
        // Ends with the process, whose end the test waits for.
        Task { [process] in
            _ = await process.exit()
            continuation.finish()
        }
    }

    var events: [AgentEvent] { state.state.withLock { $0.events } }

    /// How often it has said that it lives.
    var heartbeats: Int { state.state.withLock { $0.heartbeats } }

    /// Waits until this holds; looks whenever it has written more.
    func shows(_ isTrue: () -> Bool) async throws {
        if isTrue() { return }
        for await _ in news where isTrue() { return }
        if isTrue() { return }
        throw Missing.event(after: events, errorOutput: state.state.withLock { $0.errorOutput })
    }

    /// Waits until an event fits.
    func event(_ fits: (AgentEvent) -> Bool) async throws {
        try await shows { events.contains(where: fits) }
    }

    func awaiting() async throws {
        try await event { if case .awaitingConfirmation = $0 { true } else { false } }
    }

    func line(_ text: String) async throws {
        try await event { if case .output(_, text) = $0 { true } else { false } }
    }

    func end() async throws -> End {
        let exit = await process.exit()
        return state.state.withLock {
            End(exit: exit, events: $0.events, output: $0.output, errorOutput: $0.errorOutput)
        }
    }
}

/// Waits until the clock that counts since boot has come to this time, in nanoseconds.
func untilBootTime(_ time: Int64) async {
    let (times, over) = AsyncStream.makeStream(of: Void.self)
    let timer = BootTimer(after: .nanoseconds(max(1, time - bootTime()))) { @Sendable in over.finish() }
    for await _ in times {}
    withExtendedLifetime(timer) {}
}
