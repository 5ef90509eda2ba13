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
/// new activations and waits for those under way; the second leaves the nodes to decide by themselves.
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
    // Kept alive here; Dispatch sources may be used from any thread.
    nonisolated(unsafe) private var sources: [any DispatchSourceSignal] = []

    init(console: Console, brake: Brake) {
        self.console = console
        self.brake = brake
    }

    /// True once somebody asked to stop.
    var isInterrupted: Bool { state.withLock { $0.count > 0 } }

    /// Starts to listen for INT, TERM and HUP.
    ///
    /// - Parameter cancel: cancels the run while nothing has changed yet
    func listen(cancel: @escaping @Sendable () -> Void) async {
        state.withLock { $0.cancel = cancel }
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

    /// From here on nodes may be changing.
    func activationBegins() { state.withLock { $0.isActivating = true } }

    private func interrupt() {
        let (count, isActivating, cancel) = state.withLock { state in
            state.count += 1
            return (state.count, state.isActivating, state.cancel)
        }
        brake.set()
        if !isActivating {
            console.tell(.warn, "interrupted: stopping; nothing has been activated")
            cancel?()
        } else if count == 1 {
            console.tell(.warn, "interrupted: nothing new starts; waiting for the nodes that are activating")
            console.tell(
                .hint,
                "interrupt again to leave them: what still waits for its confirmation then rolls back, the rest goes on"
            )
        } else {
            console.tell(.warn, "left: the nodes end what they have begun by themselves")
            console.tell(.hint, "`deploy status` tells how each one ended")
            LocalProcess.terminateAll()
            console.finish(within: .seconds(2))
            exit(ExitCode.interrupted.rawValue)
        }
    }
}
