import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@main
struct Deploy {
    static func main() async {
        let environment = currentEnvironment()
        if let status = AskpassHelper.run(CommandLine.arguments, environment: environment) { exit(status) }
        if let status = await SSHStandIn.run(CommandLine.arguments, environment: environment) { exit(status) }
        let options: Options
        do {
            options = try Options(Array(CommandLine.arguments.dropFirst()))
        } catch {
            say("deploy: error: \(error)")
            if let hint = error.hint { say("deploy: hint: \(hint)") }
            exit(ExitCode.usage.rawValue)
        }
        switch options.command {
        case .help: print(Options.help)
        case .version: print(Options.version)
        case .deploy, .status: exit(await run(options, environment).rawValue)
        }
    }

    private static func run(_ options: Options, _ environment: [String: String]) async -> ExitCode {
        OpenFiles.raiseLimit()
        let console: Console
        do {
            console = try Console(
                showsDebug: options.debugLogs,
                usesColor: Console.terminalWantsColor(STDERR_FILENO, environment: environment),
                logDirectory: options.logDir,
                isLive: TerminalState.isLive(STDERR_FILENO, environment: environment),
                events: options.json ? EventStream() : nil)
        } catch {
            say("deploy: error: no logs can be written: \(error)")
            return .failed
        }
        defer { console.finish() }
        do {
            let report = try RunReport(options, console)
            report.begin()
            let code = await run(options, console)
            report.end(code)
            return code
        } catch {
            console.tell(error)
            return .failed
        }
    }

    private static func run(_ options: Options, _ console: Console) async -> ExitCode {
        let interruption = Interruption(
            console: console, brake: Brake(), statusCommand: options.statusCommand)
        let prompter = TerminalPrompter(screen: console)
        let connector = SSHConnector(
            choice: options.transport, compression: options.compression, prompter: prompter
        ) { line in
            console.tell(.debug, line)
        }
        let run = Run(
            options: options, console: console, interruption: interruption, connector: connector,
            askPassword: { try await prompter.ask(Question(text: $0, isSecret: true)) }, program: AskpassHelper.program)
        let task = Task { options.command == .status ? try await run.status() : try await run.deploy() }
        await interruption.listen { task.cancel() }
        do {
            return try await task.value
        } catch {
            return Failure(error, isDeploy: options.command == .deploy)
                .tell(on: console, wasInterrupted: interruption.isInterrupted)
        }
    }

    private static func say(_ line: String) {
        writeAll(STDERR_FILENO, line + "\n")
    }
}
