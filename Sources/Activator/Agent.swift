import Glibc
import Shared

/// Runs one command of the agent.
struct Agent: Sendable {
    let environment: [String: String]
    let options: AgentOptions

    /// - Returns: the exit code
    func run(_ command: AgentCommand) async -> Int32 {
        do {
            switch command {
            case .activate(let request): return try await activate(request)
            case .wait(let request): return await wait(request)
            case .revoke(let request): return await revoke(request)
            case .confirm(let request): return try await confirm(request)
            case .status(let request): return status(request)
            case .recover(let profiles, let background): return await recover(profiles, background: background)
            case .hold(let paths):
                try await Held(nix: Nix(environment)).hold(paths)
                return ExitCode.done.rawValue
            }
        } catch {
            return complain("\(error)", .failed)
        }
    }

    private func reporter(_ name: String, legacy: Bool) -> Reporter {
        if legacy { return Reporter(.log(LegacyLog(name, options))) }
        return Reporter(.events, log: options.logDirectory.map { LegacyLog(name, folder: $0) })
    }

    private func activate(_ request: ActivateRequest) async throws -> Int32 {
        let reporter = reporter("activate", legacy: request.session == nil)
        let link: ProfileLink
        do {
            link = try ProfileLink(request.profile, environment: environment)
        } catch {
            reporter.send(.verdict(VerdictReport(.failed, generation: nil, reason: "\(error)")))
            return reporter.exitCode(.failed)
        }
        if request.dryActivate {
            return await DryRun(request: request, link: link, environment: environment, reporter: reporter).run()
        }
        let heartbeat = request.session == nil ? nil : Heartbeat(reporter)
        defer { withExtendedLifetime(heartbeat) {} }
        return await Relay(
            link: link, environment: environment, reporter: reporter,
            logDirectory: request.session == nil ? nil : options.logDirectory
        ).activate(request)
    }

    private func wait(_ request: WaitRequest) async -> Int32 {
        let log = LegacyLog("wait", options)
        if await Wait(request: request).run() {
            log.write(.info, "Found canary file, done waiting!")
            return 0
        }
        log.write(.error, "Timeout elapsed for confirmation: the activation did not come so far")
        return 1
    }

    private func revoke(_ request: RevokeRequest) async -> Int32 {
        let reporter = reporter("revoke", legacy: request.nonce == nil)
        let heartbeat = request.nonce == nil ? nil : Heartbeat(reporter)
        defer { withExtendedLifetime(heartbeat) {} }
        do {
            let link = try ProfileLink(request.profile, environment: environment)
            let relay = Relay(
                link: link, environment: environment, reporter: reporter,
                logDirectory: request.nonce == nil ? nil : options.logDirectory)
            do {
                return try await Revoke(link: link, nonce: request.nonce, why: request.reason, relay: relay).run()
            } catch {
                return relay.failed(error)
            }
        } catch {
            return complain("\(error)", .failed)
        }
    }

    private func confirm(_ request: ConfirmRequest) async throws -> Int32 {
        let link = try ProfileLink(request.profile, environment: environment)
        let reporter = reporter("confirm", legacy: false)
        let heartbeat = Heartbeat(reporter) {
            // What is observed may never begin, and nobody would hear of it.
            if request.observes { exit(ExitCode.unknown.rawValue) }
        }
        defer { withExtendedLifetime(heartbeat) {} }
        let event = try await Confirm(link: link, request: request).run()
        reporter.send(event)
        guard case .verdict(let report) = event else { return ExitCode.unknown.rawValue }
        return report.exitCode.rawValue
    }

    /// Waits for nothing.
    func status(_ request: StatusRequest) -> Int32 {
        var code = ExitCode.done.rawValue
        for profile in request.profiles {
            do {
                let link = try ProfileLink(profile, environment: environment)
                Reporter(.events).sendLine(try Status(link: link, history: request.history).read())
            } catch {
                code = complain("\(error)", .failed)
            }
        }
        return code
    }

    private func recover(_ profiles: [ProfileLocation], background: Bool) async -> Int32 {
        if profiles.isEmpty {
            return await MachineRecovery(environment: environment, background: background).run().rawValue
        }
        let reporter = reporter("recover", legacy: false)
        var worst = ExitCode.done.rawValue
        for profile in profiles {
            do {
                let link = try ProfileLink(profile, environment: environment)
                worst = max(worst, try await Recovery.recover(link, reporter, background: background).rawValue)
            } catch {
                worst = max(worst, complain("\(error)", .failed))
            }
        }
        return worst
    }
}
