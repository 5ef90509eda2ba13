import Glibc
import Shared

extension Rollback {
    /// Not the closure's own script: those for systemd-boot make it forget its default entry (deploy-rs issue 31), and then
    /// it boots the newest generation. No generation is deleted here, so that would be the one that failed.
    private var switchProgram: String { "\(link.path)/\(NixOSSystem.switchName)" }
    /// It takes seconds; the deployer's patience is for the activation.
    private static let bootLimit = Duration.seconds(120)
    private var isBooted: Bool { NixOSSystem.isBooted(link, generations.nix.environment) }

    /// Makes the old system of a wrapped pair what boots, once it runs again.
    ///
    /// - Returns: that it could not be done; nil where it was, or where nothing is to be done
    func choiceOfBoot(_ previous: Generation) async -> String? {
        guard isBooted, NixOSSystem(in: previous.path) != nil, isRunnable("\(link.path)/\(Activatable.scriptName)"),
            isRunnable(switchProgram)
        else { return nil }
        do {
            try await run([switchProgram, "boot"], .boot, within: min(limit, Self.bootLimit))
            return nil
        } catch {
            return "the old system runs, but the next boot may take another: \(error)"
        }
    }

    /// Sees to it that the machine boots the recorded generation: the profile's link is what most look at, but the boot
    /// loader of NixOS was told of the new system by the activation.
    func makeBootable() async throws {
        guard access("/run/systemd/system", F_OK) == 0 else { throw RebootError.noSystemd }
        let current = try link.generation()
        if record.previous == nil, current == nil { throw RebootError.nothingBefore }
        guard let current, current == record.previous else { throw RebootError.notOnRecorded(found: text(current)) }
        let systems = [current.path, record.closure].map { NixOSSystem(in: $0) }
        guard systems != [nil, nil] else { return }
        guard isBooted else { throw RebootError.notBooted(link.path) }
        guard isRunnable(switchProgram) else { throw RebootError.notBootable(current.path) }
        do {
            try await run([switchProgram, "boot"], .boot, within: min(limit, Self.bootLimit))
        } catch {
            throw RebootError.bootFailed("\(error)")
        }
    }
}
