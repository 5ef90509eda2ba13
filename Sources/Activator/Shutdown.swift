import Dispatch
import Glibc
import Shared

/// The end of the machine, the one thing that a guardian does not outlive: it gives way, and the next boot finishes its
/// work. Going on would hold the machine up until systemd loses patience.
enum Shutdown {
    /// Gives way once this process is told to end.
    ///
    /// - Returns: what does so for as long as it is kept
    static func watch() -> any DispatchSourceSignal {
        signal(SIGTERM, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
        source.setEventHandler { @Sendable in giveWay() }
        // One that came before is lost.
        source.setRegistrationHandler { @Sendable in giveWay() }
        source.activate()
        return source
    }

    /// Ends this process if systemd has nothing left but to end what still runs.
    static func giveWay() {
        guard isUnderWay else { return }
        exit(complain("the machine shuts down: the next boot, or the next deploy, finishes this", .interrupted))
    }

    /// The first process is no systemd any more, but the program that kills the rest (its name is cut by the kernel).
    private static var isUnderWay: Bool { readTextFile("/proc/1/comm")?.hasPrefix("systemd-shutdow") ?? false }
}
