import Glibc
import Shared

/// deploy-rs's `wait`: until the canary of a closure appears, one that a living guardian holds.
struct Wait: Sendable {
    let request: WaitRequest

    /// False if the time was over first.
    func run() async -> Bool {
        let path = "\(request.tempPath)/\(LegacyCanary.name(request.closure))"
        let limit = Duration.seconds(request.activationTimeout ?? 240)
        let deadline = bootTime() + limit.components.seconds * 1_000_000_000
        // Watch, then look: whatever comes in between wakes us.
        let watch = ChangeWatch(folders: [request.tempPath])
        let timer = BootTimer(after: limit) { @Sendable in watch.poke() }
        defer { withExtendedLifetime(timer) {} }
        for await _ in watch.wakes {
            if LegacyCanary.isHeld(path) { return true }
            if bootTime() >= deadline { return false }
        }
        return false
    }
}
