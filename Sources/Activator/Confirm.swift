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
    let nonce: String

    func run() async throws -> VerdictReport {
        let folder = try StateFolder.make(beside: link)
        return try await VerdictWatch(folder: folder, link: link).verdict(of: nonce) { record in
            // One that races ahead of the activation waits here until there is something to confirm.
            guard record.state == .awaitingConfirmation else { return }
            // Nobody keeps the deadline of a guardian that is gone, and after a power loss nobody knows what still runs:
            // its work is undone, not confirmed.
            guard try FileLock.isHeld(ProfileLock.livenessName, in: folder) else { return }
            // False: taken already, by an earlier confirmation or by the deadline. The verdict will tell.
            _ = try PrivateCanary(folder: folder, record: record).confirm()
        }
    }
}
