import Glibc
import Shared

enum ConfirmError: Error, Equatable, CustomStringConvertible {
    /// The state is what ``Status/inWords`` says.
    case unknownNonce(link: String, state: String)

    var description: String {
        switch self {
        case .unknownNonce(let link, let state):
            "this deploy did not change the profile \(link) (it has no activation of this nonce), and will not do so any "
                + "more; the profile is on \(state); `deploy status` tells how it stands later"
        }
    }
}

/// The subcommand `confirm`: takes the canary, then waits for the verdict and tells that, whatever it is.
struct Confirm: Sendable {
    let link: ProfileLink
    let request: ConfirmRequest

    /// There is something to confirm, which is left to whoever comes next.
    private struct Confirmable: Error { let seconds: Int }

    /// - Returns: the verdict, or, for a request that only observes, that a confirmation is awaited
    func run() async throws -> AgentEvent {
        let folder = try StateFolder.make(beside: link)
        let watch = VerdictWatch(folder: folder, link: link, awaitsStart: request.awaitsStart)
        do {
            return .verdict(try await watch.verdict(of: request.nonce) { try look(at: $0, in: folder) })
        } catch let found as Confirmable {
            return .awaitingConfirmation(seconds: found.seconds)
        }
    }

    private func look(at record: Record, in folder: StateFolder) throws {
        // One that races ahead of the activation waits here until there is something to confirm.
        guard record.state == .awaitingConfirmation else { return }
        // Nobody keeps the deadline of a guardian that is gone, and after a power loss nobody knows what still runs: its
        // work is undone, not confirmed.
        guard try FileLock.isHeld(ProfileLock.livenessName, in: folder) else { return }
        let canary = PrivateCanary(folder: folder, record: record)
        if request.observes {
            guard !canary.isConfirmed else { return }
            throw Confirmable(seconds: record.secondsLeft ?? record.confirmTimeout)
        }
        // False: taken already, by an earlier confirmation or by the deadline. The verdict will tell.
        _ = try canary.confirm()
    }
}
