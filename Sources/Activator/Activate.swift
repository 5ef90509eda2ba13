import Glibc
import Shared

@main
struct Activate {
    static func main() async {
        // A reader that is gone, a file that may not grow: errors, not our death.
        for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
        let words = Array(CommandLine.arguments.dropFirst())
        // A guardian's watcher is handed a lock there.
        if words.first != GuardianProcess.subcommand { leaveInput() }
        exit(await run(words))
    }

    /// sudo may leave a password line on our standard input: nobody here or below reads it.
    private static func leaveInput() {
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard null > STDIN_FILENO else { return }
        dup2(null, STDIN_FILENO)
        close(null)
    }

    private static func run(_ words: [String]) async -> Int32 {
        if let first = words.first, Builder.commands.contains(first) { return Builder.run(words) }
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
