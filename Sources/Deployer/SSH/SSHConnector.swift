import Shared
import Synchronization

/// Connects to nodes as the user's `ssh` would, over libssh2 or, where that cannot do it, over the system's `ssh`.
final class SSHConnector: Connector {
    private let choice: TransportChoice
    private let compression: Compression
    private let prompter: any Prompter
    let environment: [String: String]
    private let askpassHelper: String
    let log: @Sendable (String) -> Void
    private let memory = LoginMemory()
    private let knownHosts = KnownHostsMemory()
    /// Where a login over SSH has succeeded.
    private let reached = Mutex<Set<Destination>>([])
    private let configurations = Mutex<[Destination: SSHConfiguration]>([:])

    /// - Parameters:
    ///   - askpassHelper: this program, which `ssh` starts to have a question answered
    ///   - log: gets debug lines, such as which transport was chosen and why
    init(
        choice: TransportChoice = .automatic,
        compression: Compression = .auto,
        prompter: any Prompter = TerminalPrompter(),
        environment: [String: String] = currentEnvironment(),
        askpassHelper: String = AskpassHelper.program,
        log: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.choice = choice
        self.compression = compression
        self.prompter = prompter
        self.environment = environment
        self.askpassHelper = askpassHelper
        self.log = log
    }

    func connect(_ destination: Destination) async throws -> any Remote {
        if destination.isLocal { return LocalRemote(environment: environment) }
        if !destination.fallbacks.isEmpty { return try await connectToAny(of: destination) }
        do {
            let remote = try await connectOnce(destination)
            reached.withLock { _ = $0.insert(destination) }
            return remote
        } catch let error as SSHError {
            guard case .unreachable = error, try await isThisMachine(destination) else { throw error }
            log("\(destination): this machine, which has no SSH server: without SSH")
            return LocalRemote(environment: environment)
        } catch let error as LocalCommandError {
            throw SSHError.failed(host: destination.host, step: "starting a program", reason: error.description)
        } catch let error as SystemError {
            throw SSHError.failed(host: destination.host, step: "a system call", reason: error.description)
        }
    }

    func hasReached(_ destination: Destination) -> Bool { reached.withLock { $0.contains(destination) } }

    private func connectOnce(_ destination: Destination) async throws -> any Remote {
        let configuration = try await configuration(of: destination)
        if choice == .openssh { return try await openSSH(destination, configuration, because: "it was asked for") }
        let plan = try await plan(configuration)
        if choice == .automatic, let reason = plan.facts.reasonForSystemSSH {
            return try await openSSH(destination, configuration, because: reason)
        }
        do {
            log("\(destination): over libssh2 \(LibSSH2.version)")
            let session = try await plan.makeSession()
            return LibSSH2Remote(session, isCompressed: configuration.compresses) { try await plan.makeSession() }
        } catch let error as NoCommonAlgorithms {
            let reason = "libssh2 and the server have no algorithms in common"
            return try await fallBack(destination, configuration, reason, "\(reason) (\(error.reason))")
        } catch let error as NeedsSystemSSH {
            return try await fallBack(destination, configuration, error.reason, error.reason)
        }
    }

    /// Takes the other transport, and takes it at once the next time.
    private func fallBack(
        _ destination: Destination, _ configuration: SSHConfiguration, _ reason: String, _ detail: String
    ) async throws -> any Remote {
        guard choice == .automatic else {
            throw SSHError.failed(host: configuration.displayName, step: "logging in with libssh2", reason: detail)
        }
        memory.needSystemSSH(configuration.account, because: reason)
        return try await openSSH(destination, configuration, because: detail)
    }

    private func openSSH(
        _ destination: Destination, _ configuration: SSHConfiguration, because reason: String
    ) async throws -> any Remote {
        log("\(destination): over the system's ssh: \(reason)")
        let connector = OpenSSHConnector(
            destination: destination, configuration: configuration,
            login: AskedLogin(
                configuration: configuration, memory: memory, prompter: prompter, environment: environment,
                helper: askpassHelper, log: log))
        let master = try await connector.makeMaster()
        return OpenSSHRemote(master) { try await connector.makeMaster() }
    }

    func configuration(of destination: Destination) async throws -> SSHConfiguration {
        if let known = configurations.withLock({ $0[destination] }) { return known }
        var configuration = try await SSHConfiguration.resolve(destination, environment: environment)
        configuration.compresses = compression.applied(to: configuration.compresses || destination.compresses)
        configurations.withLock { $0[destination] = configuration }
        return configuration
    }

    /// Gathers what the choice and a login over libssh2 depend on.
    private func plan(_ configuration: SSHConfiguration) async throws -> LibSSH2Connector {
        let expansion = expansion(configuration)
        let knownHosts = KnownHosts(
            userFiles: configuration.userKnownHostsFiles.compactMap { try? expansion.path($0) },
            globalFiles: configuration.globalKnownHostsFiles, environment: environment, memory: knownHosts)
        async let lines = knownHosts.lines(for: configuration.knownHostName)
        async let ticket = hasKerberosTicket(configuration)
        let account = configuration.account
        var facts = TransportFacts(configuration: configuration)
        facts.learned = memory.reasonForSystemSSH(account)
        facts.available = .library
        facts.identities = try await Identities.gather(configuration, expansion, remembered: memory.key(for: account))
        facts.knownHosts = try await lines
        facts.hasKerberosTicket = try await ticket
        return LibSSH2Connector(
            facts: facts, expansion: expansion, knownHosts: knownHosts, memory: memory, prompter: prompter,
            environment: environment, askpassHelper: askpassHelper, log: log)
    }

    private func expansion(_ configuration: SSHConfiguration) -> Expansion {
        let user = LocalAccount(environment: environment)
        return Expansion(
            configuration: configuration, home: user.home, localUser: user.name, localUserID: user.id,
            localHost: user.machine, environment: environment)
    }

    /// Distributions turn GSSAPI on for everyone, so only a ticket tells that it is used.
    private func hasKerberosTicket(_ configuration: SSHConfiguration) async throws -> Bool {
        guard configuration.usesGSSAPI, locateProgram("klist", path: environment["PATH"]) != nil else { return false }
        return try await memory.hasKerberosTicket {
            try await LocalCommand(["klist", "-s"], environment: environment).run(timeLimit: .seconds(5)).exit.isSuccess
        }
    }
}
