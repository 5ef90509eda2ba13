import Glibc
import Shared

/// The subcommand `status`, for one profile: reads, and changes nothing.
struct Status: Sendable {
    let link: ProfileLink
    /// How many of the last activations to tell of.
    var history = 0

    func read() throws -> ProfileStatus {
        let generation = try link.generation()
        guard let folder = try StateFolder.find(beside: link) else {
            return ProfileStatus(profile: link.path, generation: generation, activation: nil)
        }
        let holder = try ProfileLock.holder(in: folder)
        guard let record = try Journal(folder: folder).read() else {
            return ProfileStatus(profile: link.path, generation: generation, activation: nil, holder: holder)
        }
        let isGuarded = !record.isFinished && holder != nil
        var activation = ProfileStatus.Activation(
            state: record.state, nonce: record.nonce, closure: record.closure, deployer: record.deployer,
            startedAt: record.startedAt, previous: record.previous, report: record.report, isGuarded: isGuarded,
            secondsLeft: record.secondsLeft)
        activation.lastLines = record.lastLines
        activation.isForBoot = record.policy.boot ? true : nil
        activation.rebootedFor = record.reboot?.why
        var status = ProfileStatus(
            profile: link.path, generation: generation, activation: activation, holder: holder)
        status.system = ProfileStatus.System(generation: generation, before: record.runningSystem)
        let ended = Journal(folder: folder).allEnded()
        status.failedGenerations = failedGenerations(ended)
        if history > 0 { status.history = ended.suffix(history).reversed().compactMap(\.entry) }
        return status
    }

    private func failedGenerations(_ ended: [Record]) -> [Int] {
        let present = link.generations()
        // The same number may have been used for another one since.
        var failed: Set<Int> = []
        for generation in ended.compactMap(\.failedGeneration) {
            if let number = generation.number, present[number] == generation.path { failed.insert(number) }
        }
        for record in ended where record.report?.verdict == .committed {
            if let number = record.progress.profileSet?.number { failed.remove(number) }
        }
        return failed.sorted()
    }

    /// Where the profile is and how its last deploy ended, for a sentence.
    var inWords: String {
        guard let status = try? read() else { return "a generation that cannot be read" }
        let place = text(status.generation)
        guard let activation = status.activation else {
            return "\(place), and nothing was activated there by this tool"
        }
        return "\(place), its last deploy (by \(activation.deployer)) is \(activation.state.rawValue)"
    }
}

extension Record {
    /// Until the node rolls back; nil where it does not wait for a confirmation.
    var secondsLeft: Int? {
        guard state == .awaitingConfirmation, bootID == currentBootID(), let deadline else { return nil }
        return max(0, Int((deadline - bootTime()) / 1_000_000_000))
    }
}
