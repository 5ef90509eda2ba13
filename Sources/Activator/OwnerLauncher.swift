import Glibc
import Shared

/// `activate guardian owner USER WORD…`: becomes the user of this number, then the agent with these words. For root.
///
/// All that touches a user's files is done with that user's rights: no link of theirs leads us to anything that they
/// could not change themselves, and nothing of root's stays behind.
enum OwnerLauncher {
    static let word = "owner"

    static func words(_ user: uid_t, _ words: [String]) -> [String] {
        [GuardianProcess.ownExecutable, GuardianProcess.subcommand, word, String(user)] + words
    }

    /// - Returns: only if it could not become that
    static func main(_ words: [String]) async -> Int32 {
        guard words.count > 1, let user = uid_t(words[0]), user != 0 else { return GuardianProcess.notByHand() }
        guard let account = await Account.find(user) else {
            return complain("there is no account of the user \(user)", .failed)
        }
        // Read before we are that user, who may not be let into the folder that we lie in.
        let ourselves = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
        guard ourselves >= 0 else { return complain("\(SystemError("open", "/proc/self/exe"))", .failed) }
        let groups = account.groups(in: readTextFile("/etc/group") ?? "")
        guard setgroups(groups.count, groups) == 0, setgid(account.group) == 0, setuid(user) == 0 else {
            return complain("\(SystemError("setuid", account.name))", .failed)
        }
        guard chdir("/") == 0 else { return complain("\(SystemError("chdir", "/"))", .failed) }
        var arguments = (["activate"] + words.dropFirst()).map { strdup($0) }
        arguments.append(nil)
        var environment = account.environment(from: currentEnvironment()).map { strdup("\($0.key)=\($0.value)") }
        environment.append(nil)
        takeSignals()
        fexecve(ourselves, arguments, environment)
        return complain("\(SystemError("exec", "activate"))", .failed)
    }

    /// Gives the program that this one becomes its signals: what is ignored or blocked would stay so, and a thread of
    /// Dispatch's blocks nearly all.
    private static func takeSignals() {
        for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_DFL) }
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
    }
}
