import Glibc
import Shared

/// The subcommand `recover` without profiles: finishes whatever was interrupted on this machine, each profile as its
/// owner, and says what became of it in plain lines.
struct MachineRecovery: Sendable {
    let environment: [String: String]
    /// Only see to it that each is taken up.
    let background: Bool

    func run() async -> ExitCode {
        var worst = ExitCode.done
        for profile in KnownProfiles(environment: environment).find() {
            let code = await recover(profile)
            if code.rawValue > worst.rawValue { worst = code }
        }
        return worst
    }

    private func recover(_ profile: KnownProfiles.Profile) async -> ExitCode {
        let words = AgentCommand.recover([.path(profile.link)], background: background).words()
        do {
            guard profile.owner != geteuid() else {
                return try await run([GuardianProcess.ownExecutable] + words, for: profile)
            }
            guard let account = await Account.find(profile.owner) else {
                return say(profile, "not looked at: its owner, user \(profile.owner), has no account", .failed)
            }
            let folder = String(profile.link[..<(profile.link.lastIndex(of: "/") ?? profile.link.startIndex)])
            guard account.isAlone(on: folder) else {
                return say(
                    profile, "not looked at: others than \(account.name) can change a folder on the way to it", .failed)
            }
            return try await run(OwnerLauncher.words(profile.owner, words), for: profile)
        } catch {
            return say(profile, "\(error)", .failed)
        }
    }

    /// Runs an agent of the owner's, which ends at once where nothing was interrupted.
    private func run(_ words: [String], for profile: KnownProfiles.Profile) async throws -> ExitCode {
        let result = try await LocalCommand(words, environment: environment).run()
        for line in result.text.split(separator: "\n") {
            guard let event = try? JSONLine.decode(AgentEvent.self, from: line) else { continue }
            if case .output(_, let line) = event { _ = say(profile, line, .done) }
            for (_, text) in event.logLines { _ = say(profile, text, .done) }
        }
        for line in result.errorText.split(separator: "\n") { _ = say(profile, line, .done) }
        guard case .code(let number) = result.exit, let code = ExitCode(rawValue: number) else {
            return say(profile, "the agent ended with \(result.exit)", .failed)
        }
        // Someone is at it already: as good as done.
        return code == .locked ? .done : code
    }

    private func say(_ profile: KnownProfiles.Profile, _ text: some StringProtocol, _ code: ExitCode) -> ExitCode {
        writeAll(STDOUT_FILENO, "\(profile.link): \(text)\n")
        return code
    }
}
