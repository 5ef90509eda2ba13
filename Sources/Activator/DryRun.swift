import Glibc
import Shared

/// `activate --dry-activate`: asks the closure's own script what it would do. Holds nothing that can change the node.
struct DryRun: Sendable {
    let request: ActivateRequest
    let link: ProfileLink
    let environment: [String: String]
    let reporter: Reporter

    func run() async -> Int32 {
        warnOfInterrupted()
        let limit = request.session?.activationTimeout.map { Duration.seconds($0) }
        do {
            let activatable = try Activatable(request.closure, as: link, environment)
            if let warning = activatable.warning { reporter.send(.warning(warning)) }
            if let warning = TemporaryFolder(request.tempPath).warning { reporter.send(.warning(warning)) }
            let script = Script(
                activatable.dryWords, at: request.closure, .dry, tempPath: request.tempPath, limit: limit,
                Nix(environment).environment, note: nil)
            let result = try await script.run { @Sendable [reporter] stream, line in
                reporter.send(.output(stream: stream, line: line))
            }
            reporter.sendDryRunEnded(result.exit, timedOut: result.timedOut)
            return result.exit.isSuccess && !result.timedOut ? ExitCode.done.rawValue : ExitCode.failed.rawValue
        } catch {
            reporter.send(.warning("the dry run could not be started: \(error)"))
            return ExitCode.failed.rawValue
        }
    }

    private func warnOfInterrupted() {
        // Only a word on the way; what cannot be read is said by the real run.
        guard let status = try? Status(link: link).read(), let activation = status.activation,
            activation.report == nil, !activation.isGuarded
        else { return }
        reporter.send(
            .warning(
                "an earlier activation of \(activation.closure) was interrupted: the next deploy will finish it first"))
    }
}
