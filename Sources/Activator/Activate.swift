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
        if let code = runAtOnce(words) { exit(code) }
        let work = Work()
        // Nobody waits for it: it ends the process. Detached, since nobody serves the main actor here.
        Task.detached { await work.run(words) }
        while true { pause() }
    }

    /// Does what waits for nothing and is done often, in a third of the time that it takes to start threads for it.
    ///
    /// - Returns: the exit code; nil for all else
    private static func runAtOnce(_ words: [String]) -> Int32? {
        // Compared one by one: a set or a sequence costs each of a deploy's processes the making of its type.
        if Builder.takes(words.first) { return Builder.run(words) }
        if words.count > 1, words[0] == GuardianProcess.subcommand, words[1] == ScriptLauncher.word {
            return ScriptLauncher.main(Array(words.dropFirst(2)))
        }
        return nil
    }

    /// A thread of its own for all that the agent does, since it may block.
    private actor Work {
        private nonisolated let executor = QueueExecutor("activate")
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

        func run(_ words: [String]) async -> Never { exit(await Activate.run(words)) }
    }

    /// sudo may leave a password line on our standard input: nobody here or below reads it.
    private static func leaveInput() {
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard null > STDIN_FILENO else { return }
        dup2(null, STDIN_FILENO)
        close(null)
    }

    private static func run(_ words: [String]) async -> Int32 {
        if words.first == GuardianProcess.subcommand { return await GuardianProcess.main(Array(words.dropFirst())) }
        do throws(AgentUsageError) {
            switch try AgentCommand.parse(words) {
            case .help:
                return writeAll(STDOUT_FILENO, Help.text) ? 0 : 1
            case .version:
                return writeAll(STDOUT_FILENO, Help.version) ? 0 : 1
            case .run(let command, let options):
                return await Agent(environment: currentEnvironment(), options: options).run(command)
            }
        } catch {
            return complain("\(error); see activate --help", .usage)
        }
    }
}
