import Shared

extension Probe {
    /// How long what was put back may take until it is well; the verdict stands by then.
    private static let limitAfterRollback = Duration.seconds(10)

    /// Runs a profile's probe after a rollback, if it has one, and tells what it says; changes nothing.
    static func again(_ profile: PlannedProfile, _ console: Console) async {
        guard let text = profile.probe else { return }
        let probe = Probe(text: text, profile: profile, console: console)
        let name = "profile \"\(profile.name)\""
        do {
            guard let failure = try await probe.failure(until: .now + limitAfterRollback) else {
                return console.tell(.info, "\(name): its probe succeeds after the rollback", node: profile.node)
            }
            for line in failure.lines { console.relay(line, from: "probe", node: profile.node) }
            console.tell(.warn, "\(name): after the rollback, \(failure.reason)", node: profile.node)
        } catch {
            // Cancelled: nobody waits for what it says.
        }
    }
}
