import Glibc
import Shared

/// `activate guardian script PARENT LINK WORD…`: notes its process for a successor of the guardian, then becomes the
/// script, or nix-env.
///
/// First it notes, then it looks whether the guardian still lives. So a successor that finds no note can be sure that
/// nothing runs, and that nothing will begin.
enum ScriptLauncher {
    static let word = "script"

    /// The words that launch these words.
    static func words(_ words: [String], _ link: ProfileLink) -> [String] {
        [GuardianProcess.ownExecutable, GuardianProcess.subcommand, word, String(getpid()), link.path] + words
    }

    /// - Returns: only if it could not become the script
    static func main(_ words: [String]) -> Int32 {
        guard words.count > 2, let parent = Int32(words[0]) else {
            return complain("scripts are started by the guardian, not by hand", .usage)
        }
        do {
            guard let folder = try StateFolder.find(beside: ProfileLink(path: words[1])) else {
                return complain("\(words[1]) has no journal", .failed)
            }
            // Once before too: a successor's note must not be overwritten.
            if getppid() == parent { RunningScript(folder: folder).note(getpid()) }
        } catch {
            return complain("\(error)", .failed)
        }
        guard getppid() == parent else { return complain("the guardian is gone", .failed) }
        return become(Array(words.dropFirst(2)))
    }

    private static func become(_ words: [String]) -> Int32 {
        takeSignals()
        var arguments = words.map { strdup($0) }
        arguments.append(nil)
        execv(words[0], arguments)
        let error = SystemError("exec", words[0])
        return complain("\(error)", .failed)
    }

    /// Gives the program that this one becomes its signals: what is ignored or blocked would stay so, and a thread of
    /// Dispatch's blocks nearly all.
    static func takeSignals() {
        for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_DFL) }
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
    }
}
