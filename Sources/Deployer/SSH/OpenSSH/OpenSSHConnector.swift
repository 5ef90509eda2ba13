import Shared

/// Logs in with the system's `ssh`.
struct OpenSSHConnector: Sendable {
    let destination: Destination
    let configuration: SSHConfiguration
    let prompter: any Prompter
    let environment: [String: String]
    let log: @Sendable (String) -> Void

    private var connectLimit: Duration { configuration.connectTimeout ?? .seconds(10) }

    /// Logs in, at first without questions, so that many nodes can do so at once; then, one after the other, with.
    ///
    /// - Throws: ``SSHError``; `CancellationError`
    func makeMaster() async throws -> OpenSSHMaster {
        let failure: OpenSSHFailure?
        switch try await attempt(isBatch: true, limit: connectLimit + .seconds(30)) {
        case .ready(let master): return master
        case .failed(let reason): failure = reason
        }
        if mayAsk(failure) {
            let again = try await prompter.withTerminal {
                try await attempt(isBatch: false, limit: .seconds(600))
            }
            switch again {
            case .ready(let master): return master
            case .failed(let reason): throw error(reason)
            }
        }
        throw error(failure)
    }

    private func mayAsk(_ failure: OpenSSHFailure?) -> Bool {
        guard !configuration.isBatch, prompter.canAsk else { return false }
        switch failure {
        case .loginRefused: return true
        case .hostKeyNotAccepted: return configuration.strictHostKeyChecking == .ask
        default: return false
        }
    }

    private func error(_ failure: OpenSSHFailure?) -> SSHError {
        switch failure {
        // There was no connection yet that could be lost.
        case .lost(let reason)?: return OpenSSHFailure.other(reason).error(configuration, limit: connectLimit)
        case let failure?: return failure.error(configuration, limit: connectLimit)
        case nil: return OpenSSHFailure.other("it ended without a word").error(configuration, limit: connectLimit)
        }
    }

    private enum Outcome {
        case ready(OpenSSHMaster)
        case failed(OpenSSHFailure?)
    }

    private enum News: Sendable {
        case ready
        case ended
    }

    private func attempt(isBatch: Bool, limit: Duration) async throws -> Outcome {
        let folder = try makeScratchFolder()
        let line = OpenSSHCommandLine(destination: destination, configuration: configuration, folder: folder)
        let news = OneShot<News>()
        let process: LocalProcess
        do {
            var command = LocalCommand(line.master(isBatch: isBatch), environment: environment)
            // A control-C is for us to handle; only one that must talk to the terminal shares our group.
            command.grouping = isBatch ? .ownGroup : .ours
            process = try LocalProcess.start(command) { @Sendable stream, bytes in
                if stream == .output, !bytes.isEmpty { news.set(.ready) }
            }
        } catch {
            removeScratchFolder(folder)
            throw error
        }
        // Ends with the process, which the code below ends if nothing else does.
        Task {
            _ = await process.exit()
            news.set(.ended)
        }
        do {
            return try await outcome(of: process, try await news.value(within: limit), line, limit)
        } catch {
            await stop(process, folder)
            throw error
        }
    }

    private func outcome(
        of process: LocalProcess, _ news: News?, _ line: OpenSSHCommandLine, _ limit: Duration
    ) async throws -> Outcome {
        switch news {
        case .ready: return .ready(OpenSSHMaster(process, line: line, environment: environment))
        case .ended:
            let text = readFile(line.masterLog).map { String(decoding: $0, as: UTF8.self) } ?? ""
            removeScratchFolder(line.folder)
            return .failed(OpenSSHFailure(log: text))
        case nil:
            throw SSHError.timedOut(host: configuration.displayName, phase: "logging in with ssh", after: limit)
        }
    }

    private func stop(_ process: LocalProcess, _ folder: String) async {
        process.terminate()
        _ = await process.exit()
        removeScratchFolder(folder)
    }
}
