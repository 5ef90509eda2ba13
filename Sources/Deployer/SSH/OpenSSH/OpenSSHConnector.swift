import Shared

/// Logs in with the system's `ssh`.
struct OpenSSHConnector: Sendable {
    let destination: Destination
    let configuration: SSHConfiguration
    let login: AskedLogin

    private var connectLimit: Duration { configuration.connectTimeout ?? .seconds(10) }

    /// - Throws: ``SSHError``; `CancellationError`
    func makeMaster() async throws -> OpenSSHMaster {
        try await login.run { askpass, answers in
            switch try await attempt(askpass, answers) {
            case .ready(let master): return master
            // There was no connection yet that could be lost.
            case .failed(.lost(let reason)?): throw error(.other(reason))
            case .failed(let failure): throw error(failure ?? .other("it ended without a word"))
            }
        }
    }

    private enum Outcome {
        case ready(OpenSSHMaster)
        case failed(OpenSSHFailure?)
    }

    private func error(_ failure: OpenSSHFailure) -> SSHError { failure.error(configuration, limit: connectLimit) }

    private enum News: Sendable {
        case ready
        case ended
        case late
        case declined
    }

    private func attempt(_ askpass: Askpass, _ answers: AskpassAnswers) async throws -> Outcome {
        let folder = try makeScratchFolder()
        let line = OpenSSHCommandLine(destination: destination, configuration: configuration, folder: folder)
        let news = OneShot<News>()
        let process: LocalProcess
        do {
            var command = LocalCommand(line.master(), environment: login.environment)
            command.environment.merge(askpass.environment) { $1 }
            // Out of reach of the terminal: a control-C is for us to handle, and so is every question.
            command.grouping = .ownSession
            process = try LocalProcess.start(command) { @Sendable stream, bytes in
                if stream == .output, !bytes.isEmpty { news.set(.ready) }
            }
        } catch {
            removeScratchFolder(folder)
            throw error
        }
        answers.belong(to: process.id)
        askpass.whenDeclined { news.set(.declined) }
        // Ends with the process, which the code below ends if nothing else does.
        Task {
            _ = await process.exit()
            news.set(.ended)
        }
        do {
            return try await outcome(of: process, try await wait(for: news, askpass), line)
        } catch {
            await stop(process, folder)
            throw error
        }
    }

    private var loginLimit: Duration { connectLimit + .seconds(30) }

    /// Waits for news; the time in which a person is asked is not counted.
    private func wait(for news: OneShot<News>, _ askpass: Askpass) async throws -> News {
        let start = ContinuousClock.now
        // Cancelled below.
        let watch = Task {
            while true {
                let deadline = askpass.deadline(from: start, limit: loginLimit)
                if deadline <= .now { return news.set(.late) }
                try await ContinuousClock().sleep(until: deadline)
            }
        }
        defer { watch.cancel() }
        return try await news.value(within: .seconds(86_400)) ?? .late
    }

    private func outcome(
        of process: LocalProcess, _ news: News, _ line: OpenSSHCommandLine
    ) async throws -> Outcome {
        switch news {
        case .ready: return .ready(try ready(process, line))
        case .ended:
            let failure = failure(line)
            removeScratchFolder(line.folder)
            return .failed(failure)
        case .declined:
            await stop(process, line.folder)
            return .failed(nil)
        case .late:
            throw SSHError.timedOut(host: configuration.displayName, phase: "logging in with ssh", after: loginLimit)
        }
    }

    /// A master that is logged in; with `StrictHostKeyChecking=no`, `ssh` has let in every host.
    private func ready(_ process: LocalProcess, _ line: OpenSSHCommandLine) throws -> OpenSSHMaster {
        var doubt: HostDoubt?
        switch failure(line) {
        case .hostKeyRevoked: throw error(.hostKeyRevoked)
        case .hostKeyChanged(_, let place): doubt = HostDoubt(host: configuration.displayName, knownIn: place)
        default: break
        }
        return OpenSSHMaster(process, line: line, environment: login.environment, doubt: doubt)
    }

    private func failure(_ line: OpenSSHCommandLine) -> OpenSSHFailure? {
        readFile(line.masterLog).flatMap { OpenSSHFailure(log: String(decoding: $0, as: UTF8.self)) }
    }

    private func stop(_ process: LocalProcess, _ folder: String) async {
        process.terminate()
        _ = await process.exit()
        removeScratchFolder(folder)
    }
}
