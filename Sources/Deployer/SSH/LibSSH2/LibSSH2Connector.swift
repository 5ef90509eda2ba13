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
            let opened = try await open()
            do {
                try await logIn(opened, refused)
                return opened.session
            } catch let failure as LoginFailure {
                await opened.session.close()
                refused += failure.offered
                // A server that allows few tries: the rest of the keys goes over another connection.
                let hasMore = facts.identities.candidates.contains { !refused.contains($0) }
                if failure.mayGoOn, !failure.offered.isEmpty, hasMore { continue }
                throw refusal(failure)
            } catch {
                await opened.session.close()
                try Task.checkCancellation()
                throw error
            }
        }
    }

    /// A session whose keys are exchanged, and whose server is not yet trusted.
    private struct Opened {
        let session: LibSSH2Session
        let key: PublicKey
        let fingerprint: String
    }

    /// Connects, at first with a proxy that is out of the terminal's reach: a control-C then does not end it.
    private func open() async throws -> Opened {
        do {
            return try await open(usesTerminal: false, within: connectLimit)
        } catch SSHError.unreachable where isProxied && !configuration.isBatch && prompter.canAsk {
            // It may have wanted a password.
            return try await prompter.withTerminal { try await open(usesTerminal: true, within: .seconds(120)) }
        }
    }

    private var isProxied: Bool { configuration.proxyCommand != nil || configuration.proxyJump != nil }

    private func open(usesTerminal: Bool, within limit: Duration) async throws -> Opened {
        let session = try await connect(usesTerminal: usesTerminal)
        do {
            return try await withTaskCancellationHandler {
                let offer = AlgorithmOffer(configuration, known: facts.knownHosts, available: facts.available)
                let (key, fingerprint) = try await session.shakeHands(offer, within: limit)
                log("\(host): \(await session.agreedAlgorithms); host key \(fingerprint)")
                return Opened(session: session, key: key, fingerprint: fingerprint)
            } onCancel: {
                session.failLater(cancelled)
            }
        } catch {
            await session.close()
            try Task.checkCancellation()
            guard case SSHError.lost(_, let reason) = error else { throw error }
            // Only the proxy knows why there is no connection.
            if let complaint = await session.proxy?.lastComplaint() {
                throw SSHError.unreachable(host: host, reasons: [complaint])
            }
            throw SSHError.failed(host: host, step: "exchanging keys", reason: reason)
        }
    }

    private var cancelled: SSHError { .lost(host: host, reason: "the login was cancelled") }

    private func refusal(_ failure: LoginFailure) -> any Error {
        if let reason = facts.identities.unusable.first, failure.accepted.contains("publickey") || failure.mayGoOn {
            return NeedsSystemSSH(reason: reason)
        }
        let tried = failure.tried + facts.identities.unusable.map { "not \($0)" }
        let destination = "\(configuration.user)@\(host)"
        return SSHError.loginRefused(destination: destination, tried: tried)
    }

    private func logIn(_ opened: Opened, _ refused: [Candidate]) async throws {
        let session = opened.session
        try await withTaskCancellationHandler {
            let check = HostKeyGuard(
                configuration: configuration, knownHosts: knownHosts, lines: facts.knownHosts, prompter: prompter,
                log: log)
            let trust = try await check.admit(opened.key, fingerprint: opened.fingerprint)
            let login = Login(
                configuration: configuration, identities: facts.identities, memory: memory, prompter: prompter,
                trust: trust, refused: refused)
            try await session.logIn(login)
            await session.isLoggedIn(keepalive)
        } onCancel: {
            session.failLater(cancelled)
        }
    }

    private var keepalive: Keepalive.Settings {
        guard let interval = configuration.serverAliveInterval else { return Keepalive.Settings() }
        return Keepalive.Settings(interval: interval, count: configuration.serverAliveCount)
    }

    private func connect(usesTerminal: Bool) async throws -> LibSSH2Session {
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
            return try connect(through: [shell, "-c", "exec \(command)"], usesTerminal)
        case .jump(let words):
            return try connect(through: words, usesTerminal)
        }
    }

    private func connect(through words: [String], _ usesTerminal: Bool) throws -> LibSSH2Session {
        log("\(host): through \(shellQuoted(words))")
        do {
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
