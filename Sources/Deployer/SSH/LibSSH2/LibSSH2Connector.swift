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
    let askpassHelper: String
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
            } catch SSHError.lost(_, let reason) where mayGoStepByStep {
                await opened.session.close()
                log("\(host): lost while logging in (\(reason)); once more, step by step")
                memory.goStepByStep(configuration.account)
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

    /// Connects; what is asked on the way is answered like our own questions.
    private func open() async throws -> Opened {
        guard configuration.isProxied else { return try await open(nil, usesTerminal: false, within: connectLimit) }
        let login = AskedLogin(
            configuration: configuration, memory: memory, prompter: prompter, environment: environment,
            helper: askpassHelper, log: log)
        let canAsk = !configuration.isBatch && prompter.canAsk
        return try await login.run { askpass, _ in
            do {
                return try await open(askpass, usesTerminal: false, within: connectLimit)
            } catch SSHError.unreachable where configuration.proxyCommand != nil && !askpass.hasAsked && canAsk {
                // Not every command asks as ssh does: this one may want the terminal. It was out of its reach until
                // now, so that a control-C does not end it.
                return try await prompter.withTerminal {
                    try await open(nil, usesTerminal: true, within: .seconds(120))
                }
            }
        }
    }

    private func open(_ askpass: Askpass?, usesTerminal: Bool, within limit: Duration) async throws -> Opened {
        let session = try await connect(askpass, usesTerminal: usesTerminal)
        askpass?.whenDeclined { session.failLater(.lost(host: host, reason: "a question has no answer")) }
        do {
            return try await withTaskCancellationHandler {
                let offer = AlgorithmOffer(configuration, known: facts.knownHosts, available: facts.available)
                let (key, fingerprint) = try await session.shakeHands(
                    offer, within: limit, askpass: askpass,
                    waits: mayUseRSA || memory.goesStepByStep(configuration.account))
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

    /// With what it signs by RSA, libssh2 chooses from a list that the server sends of its own accord.
    private var mayUseRSA: Bool {
        LibSSH2.signsRSA && facts.identities.candidates.contains { $0.key?.isRSA ?? true }
    }

    private var mayGoStepByStep: Bool { !memory.goesStepByStep(configuration.account) && !Task.isCancelled }

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
            let doubt = try await check.admit(opened.key, fingerprint: opened.fingerprint)
            let login = Login(
                configuration: configuration, identities: facts.identities, memory: memory, prompter: prompter,
                mayUseSecrets: doubt == nil, refused: refused)
            try await session.logIn(login)
            await session.isLoggedIn(keepalive, doubt: doubt)
        } onCancel: {
            session.failLater(cancelled)
        }
    }

    private var keepalive: Keepalive.Settings {
        guard let interval = configuration.serverAliveInterval else { return Keepalive.Settings() }
        return Keepalive.Settings(interval: interval, count: configuration.serverAliveCount)
    }

    private func connect(_ askpass: Askpass?, usesTerminal: Bool) async throws -> LibSSH2Session {
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
            return try connect(through: [shell, "-c", "exec \(command)"], askpass, usesTerminal)
        case .jump(let words):
            return try connect(through: words, askpass, usesTerminal)
        }
    }

    private func connect(
        through words: [String], _ askpass: Askpass?, _ usesTerminal: Bool
    ) throws -> LibSSH2Session {
        log("\(host): through \(shellQuoted(words))")
        do {
            let whole = environment.merging(askpass?.environment ?? [:]) { $1 }
            let (child, socket) = try ProxyChild.start(words, environment: whole, usesTerminal: usesTerminal)
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
    func isLoggedIn(_ settings: Keepalive.Settings, doubt: HostDoubt?) {
        self.doubt = doubt
        startKeepalive(settings)
    }
}
