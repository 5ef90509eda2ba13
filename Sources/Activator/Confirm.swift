import Glibc
import Shared

enum ConfirmError: Error, Equatable, CustomStringConvertible {
    case nothingActivated(link: String)
    case unknownNonce(link: String)

    var description: String {
        switch self {
        case .nothingActivated(let link): "\(link) has no journal: nothing was activated there that could be confirmed"
        case .unknownNonce(let link):
            "\(link) has no activation of this nonce: it was confirmed by nobody here; `activate status` tells what is "
                + "there"
        }
    }
}

/// The subcommand `confirm`: takes the canary, then waits for the verdict and tells that, whatever it is.
struct Confirm: Sendable {
    let link: ProfileLink
    let nonce: String

    func run() async throws -> VerdictReport {
        guard let folder = try StateFolder.find(beside: link) else {
            throw ConfirmError.nothingActivated(link: link.path)
        }
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
