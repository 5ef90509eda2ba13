import Dispatch
import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The keys that libssh2 had were refused, and the user has others that only the system's `ssh` can offer.
struct NeedsSystemSSH: Error {
    let reason: String
}

/// Makes logged-in libssh2 sessions to one destination.
struct LibSSH2Connector: Sendable {
    let facts: TransportFacts
    let expansion: Expansion
    let knownHosts: KnownHosts
    let memory: LoginMemory
    let prompter: any Prompter
    let environment: [String: String]
    let log: @Sendable (String) -> Void

    private var configuration: SSHConfiguration { facts.configuration }
    private var host: String { configuration.displayName }
    private var connectLimit: Duration { configuration.connectTimeout ?? .seconds(10) }

    /// - Throws: ``NoCommonAlgorithms``, ``NeedsSystemSSH``, ``SSHError``; `CancellationError`
    func makeSession() async throws -> LibSSH2Session {
        var refused: [Candidate] = []
        while true {
            let session = try await connect()
            do {
                try await logIn(session, refused)
                return session
            } catch let failure as LoginFailure {
                await session.close()
                refused += failure.offered
                // A server that allows few tries: the rest of the keys goes over another connection.
                let hasMore = facts.identities.candidates.contains { !refused.contains($0) }
                if failure.mayGoOn, !failure.offered.isEmpty, hasMore { continue }
                throw refusal(failure)
            } catch {
                await session.close()
                try Task.checkCancellation()
                throw error
            }
        }
    }

    private func refusal(_ failure: LoginFailure) -> any Error {
        if let reason = facts.identities.unusable.first, failure.accepted.contains("publickey") || failure.mayGoOn {
            return NeedsSystemSSH(reason: reason)
        }
        let tried = failure.tried + facts.identities.unusable.map { "not \($0)" }
        let destination = "\(configuration.user)@\(host)"
        return SSHError.loginRefused(destination: destination, tried: tried)
    }

    private func logIn(_ session: LibSSH2Session, _ refused: [Candidate]) async throws {
        try await withTaskCancellationHandler {
            let offer = AlgorithmOffer(configuration, known: facts.knownHosts, available: facts.available)
            let (key, fingerprint) = try await shakeHands(session, offer)
            log("\(host): \(await session.agreedAlgorithms); host key \(fingerprint)")
            let check = HostKeyGuard(
                configuration: configuration, knownHosts: knownHosts, lines: facts.knownHosts, prompter: prompter,
                log: log)
            let trust = try await check.admit(key, fingerprint: fingerprint)
            let login = Login(
                configuration: configuration, identities: facts.identities, memory: memory, prompter: prompter,
                trust: trust, refused: refused)
            try await session.logIn(login)
            await session.isLoggedIn(keepalive)
        } onCancel: {
            session.failLater(.lost(host: host, reason: "the login was cancelled"))
        }
    }

    /// Says what the proxy said where there was one, since only it knows why there is no connection.
    private func shakeHands(
        _ session: LibSSH2Session, _ offer: AlgorithmOffer
    ) async throws -> (key: PublicKey, fingerprint: String) {
        do {
            return try await session.shakeHands(offer, within: connectLimit)
        } catch SSHError.lost(_, let reason) {
            if let complaint = await session.proxy?.lastComplaint() {
                throw SSHError.unreachable(host: host, reasons: [complaint])
            }
            throw SSHError.failed(host: host, step: "exchanging keys", reason: reason)
        }
    }

    private var keepalive: Keepalive.Settings {
        guard let interval = configuration.serverAliveInterval else { return Keepalive.Settings() }
        return Keepalive.Settings(interval: interval, count: configuration.serverAliveCount)
    }

    private func connect() async throws -> LibSSH2Session {
        let plan: ProxyPlan
        do {
            plan = try ProxyPlan(configuration, expansion)
        } catch {
            throw SSHError.configuration(host: host, reason: "ProxyCommand: \(error)")
        }
        switch plan {
        case .direct:
            let target = TCPTarget(
                host: configuration.hostName, port: configuration.port, family: configuration.addressFamily,
                bindAddress: configuration.bindAddress, limit: connectLimit)
            let socket = try await connectTCP(target, name: host)
            return try LibSSH2Session(socket: socket, host: host, proxy: nil)
        case .command(let command):
            let shell = environment["SHELL"].flatMap { $0.isEmpty ? nil : $0 } ?? "/bin/sh"
            return try connect(through: [shell, "-c", "exec \(command)"])
        case .jump(let words):
            return try connect(through: words)
        }
    }

    private func connect(through words: [String]) throws -> LibSSH2Session {
        log("\(host): through \(shellQuoted(words))")
        do {
            // In our process group, as ssh starts it, so that it can ask for a password.
            let usesTerminal = prompter.canAsk && !configuration.isBatch
            let (child, socket) = try ProxyChild.start(words, environment: environment, usesTerminal: usesTerminal)
            return try LibSSH2Session(socket: socket, host: host, proxy: child)
        } catch let error as LocalCommandError {
            throw SSHError.failed(host: host, step: "starting the proxy", reason: error.description)
        } catch let error as SystemError {
            throw SSHError.failed(host: host, step: "starting the proxy", reason: error.description)
        }
    }
}

extension LibSSH2Session {
    /// As ``fail(_:)``, from anywhere.
    nonisolated func failLater(_ error: SSHError) {
        executor.queue.async { @Sendable [self] in assumeIsolated { $0.fail(error) } }
    }

    /// Turns to what a session does once it carries commands.
    func isLoggedIn(_ settings: Keepalive.Settings) {
        startKeepalive(settings)
    }
}
