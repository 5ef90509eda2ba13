import CSystem
import Glibc
import Shared

@main
struct Activate {
    /// Not `async`: such a main ends its thread once it waits, and to unwind that in a static program the frames of all
    /// functions are sorted first, 12 ms of processor time in each of a deploy's processes.
    static func main() {
        // A reader that is gone, a file that may not grow: errors, not our death.
        for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
        let words = Array(CommandLine.arguments.dropFirst())
        // A guardian's watcher is handed a lock there.
        if words.first != GuardianProcess.subcommand { leaveInput() }
        shim_share_memory()
        let rest = begin(words)
        // Nobody waits for it: it ends the process. Detached, since nobody serves the main actor here. Nor does this
        // thread do anything more: see ``GuardianWatcher``.
        Task.detached(executorPreference: OneThread()) { await run(rest) }
        while true { pause() }
    }

    /// What is left to do once all is done that waits for nothing.
    private enum Rest: Sendable {
        case run(AgentCommand, AgentOptions)
        case guardian(GuardianTask)
        case owner([String])
    }

    /// Does what waits for nothing, in a third of the time that it takes to start threads for it, and what must have no
    /// other threads beside it; where that is all, the process ends here.
    private static func begin(_ words: [String]) -> Rest {
        // Compared one by one: a set or a sequence costs each of a deploy's processes the making of its type.
        if Builder.takes(words.first) { exit(Builder.run(words)) }
        if words.first == GuardianProcess.subcommand { return beginGuardian(Array(words.dropFirst())) }
        do throws(AgentUsageError) {
            switch try AgentCommand.parse(words) {
            case .help: exit(writeAll(STDOUT_FILENO, Help.text) ? 0 : 1)
            case .version: exit(writeAll(STDOUT_FILENO, Help.version) ? 0 : 1)
            case .run(.status(let request), let options):
                exit(Agent(environment: currentEnvironment(), options: options).status(request))
            case .run(let command, let options): return .run(command, options)
            }
        } catch {
            exit(complain("\(error); see activate --help", .usage))
        }
    }

    private static func beginGuardian(_ words: [String]) -> Rest {
        let rest = Array(words.dropFirst())
        if words.first == OwnerLauncher.word { return .owner(rest) }
        guard words.first == GuardianWatcher.word else { exit(GuardianProcess.notByHand()) }
        switch GuardianWatcher.main(rest) {
        case .ended(let code): exit(code)
        case .isGuardian(let task): return .guardian(task)
        }
    }

    private static func run(_ rest: Rest) async -> Never {
        switch rest {
        case .run(let command, let options):
            exit(await Agent(environment: currentEnvironment(), options: options).run(command))
        case .guardian(let task): exit(await task.run())
        case .owner(let words): exit(await OwnerLauncher.main(words))
        }
    }

    /// sudo may leave a password line on our standard input: nobody here or below reads it.
    private static func leaveInput() {
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard null > STDIN_FILENO else { return }
        dup2(null, STDIN_FILENO)
        close(null)
    }
}
