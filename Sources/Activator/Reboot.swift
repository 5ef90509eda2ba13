import Glibc
import Shared

/// Why a machine was not rebooted.
enum RebootError: Error, Equatable, CustomStringConvertible {
    case noSystemd
    case notOnRecorded(found: String)
    case nothingBefore
    /// Not one of the links that boot loaders look at.
    case notBooted(String)
    case notBootable(String)
    case bootFailed(String)
    case refused(Exit, text: String)
    case unanswered
    case stillRuns(seconds: Int)

    var description: String {
        switch self {
        case .noSystemd: "it has no systemd, which would do so"
        case .notOnRecorded(let found): "the profile is on \(found), which is not where it was before"
        case .nothingBefore: "there was no earlier generation, which it could boot"
        case .notBooted(let link): "\(link) is not the profile that a NixOS machine boots"
        case .notBootable(let path):
            "\(path) has no \(NixOSSystem.switchName), so that the new system might be what boots"
        case .bootFailed(let reason): "the old system could not be made what boots: \(reason)"
        case .refused(let exit, let text): "systemctl reboot: \(exit)\(text.isEmpty ? "" : ": \(text)")"
        case .unanswered: "systemctl reboot does not answer, and nothing shuts down"
        case .stillRuns(let seconds): "it was told to reboot, and still runs after \(seconds) s"
        }
    }
}

/// The last resort where a generation is back but cannot be activated again: the machine boots it.
struct Reboot: Sendable {
    /// For a shutdown; the boot gets the rest of what the deployer waits.
    private static let seconds = StandardLimits.reboot / 2
    private static let answerLimit = Duration.seconds(30)

    let systemd: Systemd

    /// Returns only where the machine still runs after all; its end ends this process, see ``Shutdown``.
    func run() async throws(RebootError) -> RebootError {
        let result = await systemd.run(["reboot"], limit: Self.answerLimit)
        if let result, !result.exit.isSuccess { throw .refused(result.exit, text: trimmed(result.errorText)) }
        // One that does not answer may have heard all the same.
        if result == nil, await !isShuttingDown() { throw .unanswered }
        await wait()
        return .stillRuns(seconds: Self.seconds)
    }

    /// For one that a guardian had begun which has died since: waits for it where the machine does shut down.
    func waitIfBegun() async {
        if await isShuttingDown() { await wait() }
    }

    /// Longer where it still shuts down then: systemd itself ends what hangs.
    private func wait() async {
        repeat {
            // Cancelling is not used here.
            try? await Task.sleep(for: .seconds(Self.seconds))
        } while await isShuttingDown()
    }

    private func isShuttingDown() async -> Bool {
        let state = await systemd.run(["is-system-running"], limit: Self.answerLimit)
        return state.map { trimmed($0.text) } == "stopping"
    }
}

extension Record {
    /// What became of its reboot, where one was begun.
    var rebootInWords: String? {
        reboot.map {
            $0.bootID == bootID
                ? "it was to be rebooted (\($0.why)), which did not happen" : "it has been rebooted (\($0.why))"
        }
    }
}
