import Dispatch
import Shared
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What Ctrl-C does, by how far the run has come.
///
/// Before any activation the run is cancelled: nothing has changed. Once something may be changing, the first one stops
/// new activations and waits for those under way. The second ends this program in either case, and leaves the nodes to
/// decide by themselves.
final class Interruption: Sendable {
    private struct State {
        var isActivating = false
        var count = 0
        var cancel: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())
    private let console: Console
    /// Set by an interruption, among others.
    let brake: Brake
    /// What a person who interrupts wants to know about.
    let underWay = UnderWay()
    /// The command that tells later how the nodes ended.
    private let statusCommand: String
    // Kept alive here; Dispatch sources may be used from any thread.
    nonisolated(unsafe) private var sources: [any DispatchSourceSignal] = []

    init(console: Console, brake: Brake, statusCommand: String) {
        self.console = console
        self.brake = brake
        self.statusCommand = statusCommand
    }

    /// True once somebody asked to stop.
    var isInterrupted: Bool { state.withLock { $0.count > 0 } }

    /// Starts to listen for INT, TERM, HUP and Ctrl-C at a question.
    ///
    /// - Parameter cancel: cancels the run while nothing has changed yet
    func listen(cancel: @escaping @Sendable () -> Void) async {
        state.withLock { $0.cancel = cancel }
        TerminalPrompter.onInterrupt { [weak self] in self?.interrupt() }
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { @Sendable [weak self] in self?.interrupt() }
            sources.append(source)
            await withCheckedContinuation { ready in
                source.setRegistrationHandler { @Sendable in ready.resume() }
                source.activate()
            }
        }
    }

    /// From here on nodes may be changing, unless it was interrupted before.
    ///
    /// - Throws: `CancellationError` where an interruption has told already that nothing was activated
    func activationBegins() throws {
        let isInterrupted = state.withLock { state in
            if state.count == 0 { state.isActivating = true }
            return state.count > 0
        }
        if isInterrupted { throw CancellationError() }
    }

    private func interrupt() {
        let (count, isActivating, cancel) = state.withLock { state in
            state.count += 1
            return (state.count, state.isActivating, state.cancel)
        }
        brake.set()
        if count == 1 {
            isActivating ? tellWhatIsUnderWay() : console.tell(.warn, "interrupted: stopping; nothing was activated")
            if !isActivating { cancel?() }
        } else if count == 2 {
            if isActivating {
                let rest = underWay.isGuarded ? "the nodes end what they have begun by themselves" : "what is under way"
                console.tell(.warn, "left: \(rest)")
                console.tell(.hint, "later: \(statusCommand)")
            }
            end()
        }
    }

    private func tellWhatIsUnderWay() {
        console.tell(.warn, "interrupted: nothing new starts; waiting for what is under way")
        for (profile, fate) in underWay.all {
            console.tell(.warn, "profile \"\(profile.name)\" is under way: \(fate)", node: profile.node)
        }
        console.tell(.hint, "interrupt again to leave them alone")
    }

    /// Ends this program at once, and leaves neither a child nor a terminal behind that does not echo.
    private func end() {
        Task {
            await LocalProcess.endAll()
            TerminalPrompter.restore()
            console.finish(within: .seconds(2))
            exit(ExitCode.interrupted.rawValue)
        }
    }
}
